package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

func packVerb(args []string, _ io.Reader, _ io.Writer) error {
	flags := newFlags("pack")
	dir := flags.String("folder", "", "")
	bare := flags.Bool("bare", false, "")
	archive, err := operand(flags, args, "the file to write")
	if err != nil {
		return err
	}
	if *dir == "" {
		return wrong{errors.New("--folder is needed")}
	}
	when, err := sourceDate(os.Getenv("SOURCE_DATE_EPOCH"))
	if err != nil {
		return err
	}
	return Pack(*dir, archive, *bare, when)
}

// Pack writes a folder, under its own name or bare, as a tar that has nothing of the machine it was made on: root owns
// all, everything is of one time, and a mode says only whether a file can be run. It is zipped but where its name ends
// in .tar.
func Pack(dir, archive string, bare bool, when time.Time) (err error) {
	file, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() {
		if closed := file.Close(); err == nil {
			err = closed
		}
	}()
	var packed io.WriteCloser = nopCloser{file}
	if !strings.HasSuffix(archive, ".tar") {
		if packed, err = gzip.NewWriterLevel(file, gzip.DefaultCompression); err != nil {
			return err
		}
	}
	writer := tar.NewWriter(packed)
	dir = filepath.Clean(dir)
	// In the order of names, whatever the file system's is.
	err = filepath.WalkDir(dir, func(from string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, from)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(inside)
		if bare && name == "." {
			return nil
		}
		if !bare {
			name = path.Join(filepath.Base(dir), name)
		}
		if err := packOne(writer, from, name, entry, when); err != nil {
			return fmt.Errorf("packing %s: %w", from, err)
		}
		return nil
	})
	return errors.Join(err, writer.Close(), packed.Close())
}

// nopCloser is a file that is closed elsewhere.
type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func packOne(writer *tar.Writer, from, name string, entry fs.DirEntry, when time.Time) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header := tar.Header{Name: name, ModTime: when, Mode: 0o644}
	switch {
	case info.IsDir():
		header.Typeflag, header.Mode, header.Name = tar.TypeDir, 0o755, name+"/"
	case info.Mode()&fs.ModeSymlink != 0:
		header.Typeflag = tar.TypeSymlink
		if header.Linkname, err = os.Readlink(from); err != nil {
			return err
		}
	case info.Mode().IsRegular():
		header.Typeflag, header.Size = tar.TypeReg, info.Size()
		if info.Mode()&0o111 != 0 {
			header.Mode = 0o755
		}
	default:
		return errors.New("it is no file, folder or link")
	}
	if err := writer.WriteHeader(&header); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(writer, file)
	return err
}
