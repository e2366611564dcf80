// Command gen makes the Go files of package api from its .proto files. It
// compiles them in process and runs the two plug-ins that are tools of the
// module, so it needs nothing but Go.
//
// It is run in the folder api: go generate ./api.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// plugins are the tools that write Go; their parameters put a file beside its
// .proto file.
var plugins = []string{"protoc-gen-go", "protoc-gen-go-grpc"}

const parameter = "module=sluice/api"

func main() {
	files, err := generate(context.Background(), ".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.FromSlash(name), text, 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "gen:", err)
			os.Exit(1)
		}
	}
}

// generate compiles every .proto file below root and returns the text of the Go
// files by their slash-separated path relative to root.
func generate(ctx context.Context, root string) (map[string][]byte, error) {
	names, err := protoFiles(root)
	if err != nil {
		return nil, fmt.Errorf("list .proto files: %w", err)
	}
	request, err := compile(ctx, root, names)
	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}
	out := map[string][]byte{}
	for _, plugin := range plugins {
		if err := run(ctx, plugin, request, out); err != nil {
			return nil, fmt.Errorf("%s: %w", plugin, err)
		}
	}
	return out, nil
}

func protoFiles(root string) (names []string, err error) {
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".proto") {
			names = append(names, path)
		}
		return err
	})
	slices.Sort(names)
	return names, err
}

// compile returns the request that the plug-ins read: the files to generate and
// the descriptors of these and all that they import, imports first.
func compile(ctx context.Context, root string, names []string) (*pluginpb.CodeGeneratorRequest, error) {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{root}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, err
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: names, Parameter: proto.String(parameter)}
	seen := map[string]bool{}
	for _, file := range compiled {
		addFile(file, seen, &request.ProtoFile)
	}
	return request, nil
}

func addFile(file protoreflect.FileDescriptor, seen map[string]bool, out *[]*descriptorpb.FileDescriptorProto) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	for i := range file.Imports().Len() {
		addFile(file.Imports().Get(i).FileDescriptor, seen, out)
	}
	*out = append(*out, protodesc.ToFileDescriptorProto(file))
}

// run gives request to a plug-in and adds the files that it answers to out.
func run(ctx context.Context, plugin string, request *pluginpb.CodeGeneratorRequest, out map[string][]byte) error {
	in, err := proto.Marshal(request)
	if err != nil {
		return err
	}
	var reply, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "tool", plugin)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &reply, &problems
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, problems.Bytes())
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(reply.Bytes(), &response); err != nil {
		return fmt.Errorf("read its answer: %w", err)
	}
	if response.Error != nil {
		return fmt.Errorf("answered: %s", *response.Error)
	}
	for _, file := range response.File {
		out[file.GetName()] = []byte(file.GetContent())
	}
	return nil
}
