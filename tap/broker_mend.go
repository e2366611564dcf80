package tap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
)

// What the in-process broker keeps of a partition: segments of batches as they
// travelled, each with an index of one entry a batch. The entry alone says that a batch
// belongs to a transaction, and the broker takes one without for committed.
const (
	segmentSuffix = ".dat"
	indexSuffix   = ".idx"
	segmentGlob   = "partitions/*/*" + segmentSuffix

	batchHead        = 23 // up to the attributes, with them
	batchTransaction = 0x10
	batchControl     = 0x20

	indexEntry   = 15
	indexVersion = 1
)

// mendIndexes gives every batch of a broker's folder the index entry that a death
// between the two writes, or a loss of power, left out. Otherwise readers would be
// given a batch of a transaction that was never committed.
func mendIndexes(dir string) error {
	segments, err := filepath.Glob(filepath.Join(dir, segmentGlob))
	if err != nil {
		return err
	}
	for _, segment := range segments {
		if err := mendIndex(segment); err != nil {
			return fmt.Errorf("mend index of %s: %w", segment, err)
		}
	}
	return nil
}

func mendIndex(segment string) error {
	path := segment[:len(segment)-len(segmentSuffix)] + indexSuffix
	index, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(index) > 0 && index[0] > indexVersion {
		return nil // of a later broker, which must know for itself
	}
	entries, err := indexOf(segment, index)
	if err != nil || len(index) >= len(entries) && bytes.Equal(index[:len(entries)], entries) {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(entries)
	return errors.Join(err, f.Sync(), f.Close())
}

// indexOf returns the entries of a segment's whole batches: those of index where they
// are valid, and new ones elsewhere.
func indexOf(segment string, index []byte) (entries []byte, err error) {
	f, err := os.Open(segment)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var head [batchHead]byte
	for at := int64(0); at+batchHead <= info.Size(); {
		if _, err := f.ReadAt(head[:], at); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		size := 12 + int64(binary.BigEndian.Uint32(head[8:]))
		if at += size; size < batchHead || at > info.Size() {
			break // torn: the broker cuts it off
		}
		old := index[min(len(entries), len(index)):min(len(entries)+indexEntry, len(index))]
		if !validEntry(old) {
			old = newEntry(head)
		}
		entries = append(entries, old...)
	}
	return entries, nil
}

func validEntry(b []byte) bool {
	return len(b) == indexEntry && b[0] == indexVersion && b[1] == entrySum(b)
}

func entrySum(b []byte) byte { return byte(crc32.Checksum(b[2:], crc32.MakeTable(crc32.Castagnoli))) }

// newEntry makes the entry of a batch from its head. The broker does not use the time
// that an entry has room for.
func newEntry(head [batchHead]byte) []byte {
	b := make([]byte, indexEntry)
	b[0] = indexVersion
	if epoch := int32(binary.BigEndian.Uint32(head[12:])); epoch > 0 {
		binary.LittleEndian.PutUint32(b[2:], uint32(epoch))
	}
	attributes := binary.BigEndian.Uint16(head[21:])
	if attributes&batchTransaction != 0 && attributes&batchControl == 0 {
		b[14] = 1
	}
	b[1] = entrySum(b)
	return b
}
