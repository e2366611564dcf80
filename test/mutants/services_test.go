//go:build services

package mutants

import "testing"

// TestPlantedBugsServices plants bugs in what runs on Redis alone: the Functions, and
// what reads the hashes that views of a group share.
func TestPlantedBugsServices(t *testing.T) { plant(t, onRedis, *all) }

var few = []string{"-tags", "services", "-sim.redis", "100"}

var onRedis = []mutant{
	{
		name: "a sweep of one view deletes what its neighbours have", file: "store/redis/library.lua", often: true,
		edits: [][2]string{{"removed = removed + call('HDEL', keys[i], args[1]) end", "removed = removed + call('DEL', keys[i]) end"}},
		pkg:   "./test/sim", run: "^TestHistoriesServices$", args: few,
	},
	{
		name: "a fold of one view takes its neighbours' records for its own", file: "store/redis/library.lua",
		edits: [][2]string{{"if p == 0 or string.sub(all[i], 1, p) == prefix then", "if p < #all[i] then"}},
		pkg:   "./test/sim", run: "^TestHistoriesServices$", args: few,
	},
	{
		name: "an entity lives for what the view that wrote last asks for, though a neighbour needs it for longer", file: "store/redis/library.lua",
		edits: [][2]string{{"elseif was ~= -1 and was < expiry then", "else"}},
		pkg:   "./test/sim", run: "^TestHistoriesServices$", args: few,
	},
	{
		name: "a view without a ttl does not keep an entity that a neighbour with one wrote", file: "store/redis/library.lua",
		edits: [][2]string{{"if was >= 0 then redis.call('PERSIST', key) end", "if was >= 0 then redis.call('PTTL', key) end"}},
		pkg:   "./test/sim", run: "^TestHistoriesServices$", args: few,
	},
	{
		name: "the index of a version expires before rows that a neighbour keeps", file: "store/redis/library.lua",
		edits: [][2]string{{"if expiry > 0 and not grouped then call", "if expiry > 0 then call"}},
		pkg:   "./test/sim", run: "^TestHistoriesServices$", args: few,
	},
	{
		name: "rows of a neighbour are taken for those of the view that is read", file: "store/redis/group.go", often: true,
		edits: [][2]string{{"		if n < 0 {\n			return nil\n		}\n", "		n = max(0, n)\n"}},
		pkg:   "./test/sim", run: "^TestHistoriesServices$", args: few,
	},
}
