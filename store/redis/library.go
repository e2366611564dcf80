package redis

import (
	"context"
	_ "embed"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// Names of the Functions. The number is the library's: another body of a Function
// is another number, so that releases run side by side.
const (
	libraryName = "sluice_3"
	stageFunc   = "sluice_3_stage"
	dropFunc    = "sluice_3_drop"
	foldFunc    = "sluice_3_fold"
	statFunc    = "sluice_3_stat"
	turnFunc    = "sluice_3_turn"
)

//go:embed library.lua
var libraryBody string

func libraryCode() string { return "#!lua name=" + libraryName + "\n" + libraryBody }

// loadLibrary puts the Functions onto a server, if they are not there as they are
// here.
func loadLibrary(ctx context.Context, c *goredis.Client) error {
	list, err := c.FunctionList(ctx, goredis.FunctionListQuery{LibraryNamePattern: libraryName, WithCode: true}).Result()
	if err == nil && len(list) == 1 && list[0].Code == libraryCode() {
		return nil
	}
	if err := c.FunctionLoadReplace(ctx, libraryCode()).Err(); err != nil {
		return fmt.Errorf("load functions %s: %w", libraryName, err)
	}
	return nil
}

// isMissing reports whether a server does not have a Function: after a restart
// without its data, or after a failover.
func isMissing(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Function not found")
}
