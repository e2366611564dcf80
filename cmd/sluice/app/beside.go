package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// brokerFile names, in the data folder of a platform that runs, the address of the broker in
// its process. What works beside the platform goes by it and not by listen.kafka, which may
// be that of another installation on the machine, or leave the port to the system.
const brokerFile = "broker.addr"

// errNoBroker is that whoever has the data folder has no broker in its process.
var errNoBroker = errors.New("that one has no broker: it is starting, or is a command such as restore, or of an older release, or its log is on servers, which -config.file or kafka.brokers name")

// forgetBroker removes what a process before this one, which has the data folder, said.
func forgetBroker(data string) error {
	if err := os.Remove(filepath.Join(data, brokerFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("lock data folder: %w", err)
	}
	return nil
}

// nameBroker says where the broker of this process is. Readers see the whole text or none.
func nameBroker(data string, addrs []string) error {
	path := filepath.Join(data, brokerFile)
	err := os.WriteFile(path+".new", []byte(strings.Join(addrs, "\n")), 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("say where the broker is: %w", err)
	}
	return nil
}

// namedBroker returns where the broker of the process is that has the data folder.
func namedBroker(data string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(data, brokerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data folder %s is in use by another sluice, and %w", data, errNoBroker)
	}
	if err != nil {
		return nil, fmt.Errorf("find the broker of data folder %s: %w", data, err)
	}
	return strings.Split(string(text), "\n"), nil
}
