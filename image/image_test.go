package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"debug/elf"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// what a layout is made of, with a program that is an ELF header and, where asked for, an interpreter.
func inputs(t *testing.T, machine elf.Machine, interpreter bool) (program, bundle string) {
	t.Helper()
	header := elf.Header64{
		Ident:   [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:    uint16(elf.ET_DYN),
		Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Shentsize: 64,
	}
	var data bytes.Buffer
	if interpreter {
		header.Phnum = 1
	}
	write := func(what any) {
		if err := binary.Write(&data, binary.LittleEndian, what); err != nil {
			t.Fatal(err)
		}
	}
	write(header)
	write(elf.Prog64{Type: uint32(elf.PT_INTERP)})
	dir := t.TempDir()
	program, bundle = filepath.Join(dir, "program"), filepath.Join(dir, "ca.crt")
	put(t, program, data.Bytes())
	put(t, bundle, certificate(t))
	return program, bundle
}

func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	data, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: data})
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// call runs the program and gives what it printed, without the end of the line.
func call(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(args, strings.NewReader(""), &out); err != nil {
		t.Fatalf("image %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(out.String())
}

func TestTheSameInputsMakeTheSameDigest(t *testing.T) {
	program, bundle := inputs(t, elf.EM_X86_64, false)
	made := func(label string) (string, map[string]string) {
		dir := filepath.Join(t.TempDir(), "layout")
		digest := call(t, "layout", "--program", program, "--ca-bundle", bundle, "--label", label, dir)
		return digest, contents(t, dir)
	}
	first, files := made("a=b")
	// Another time and other modes of the files that it is made of.
	if err := os.Chtimes(program, time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	second, again := made("a=b")
	if first != second || !maps.Equal(files, again) {
		t.Fatalf("%s and %s", first, second)
	}
	if other, _ := made("a=c"); other == first {
		t.Fatal("another label makes the same image")
	}
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	if later, _ := made("a=b"); later == first {
		t.Fatal("another time makes the same image")
	}
}

// contents are the files below a folder, by their names.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWhatIsPulledIsWhatWasPushedAndUnpacksToExactlyTheseFiles(t *testing.T) {
	program, bundle := inputs(t, elf.EM_AARCH64, false)
	layout, root := filepath.Join(t.TempDir(), "layout"), filepath.Join(t.TempDir(), "root")
	made := call(t, "layout", "--program", program, "--ca-bundle", bundle,
		"--label", "org.opencontainers.image.version=1.2.3", layout)
	registry := startRegistry(t)
	reference := registry + "/module-controller:1.2.3"
	if pushed := call(t, "push", "--layout", layout, reference); pushed != made {
		t.Fatalf("made %s, pushed %s", made, pushed)
	}
	if pulled := call(t, "unpack", "--pull", reference, root); pulled != made {
		t.Fatalf("made %s, pulled %s", made, pulled)
	}
	want := []string{
		"-rw-r--r-- etc/group", "-rw-r--r-- etc/nsswitch.conf", "-rw-r--r-- etc/passwd",
		"-rw-r--r-- etc/ssl/certs/ca-certificates.crt", "-rwxr-xr-x module-controller",
		"drwxr-xr-x .", "drwxr-xr-x etc", "drwxr-xr-x etc/ssl", "drwxr-xr-x etc/ssl/certs",
	}
	if got := listing(t, root); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("unpacked are\n%s", strings.Join(got, "\n"))
	}
	for from, to := range map[string]string{program: "module-controller", bundle: "etc/ssl/certs/ca-certificates.crt"} {
		if contents(t, filepath.Dir(from))["/"+filepath.Base(from)] != contents(t, root)["/"+to] {
			t.Fatalf("%s is not %s", to, from)
		}
	}
	image, err := Pull(reference)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	seen := fmt.Sprintln(config.OS, config.Architecture, config.Config.User, config.Config.Entrypoint, config.Config.Labels)
	if strings.TrimSpace(seen) != "linux arm64 65532:65532 [/module-controller] map[org.opencontainers.image.version:1.2.3]" {
		t.Fatal(seen)
	}
}

// listing says each file's mode and name, and that root owns it where root unpacked.
func listing(t *testing.T, root string) []string {
	t.Helper()
	var files, folders []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		line := info.Mode().String() + " " + name
		if owner := info.Sys().(*syscall.Stat_t); int(owner.Uid) != os.Geteuid() || int(owner.Gid) != os.Getegid() {
			line += fmt.Sprintf(" of %d:%d", owner.Uid, owner.Gid)
		}
		if entry.IsDir() {
			folders = append(folders, line)
		} else {
			files = append(files, line)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return append(files, folders...)
}

func startRegistry(t *testing.T) string {
	t.Helper()
	in, held := io.Pipe()
	out, said := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run([]string{"registry"}, in, said) }()
	var address string
	if _, err := fmt.Fscanln(out, &address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		held.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return address
}

func TestAnArchiveHasWhatTheFolderHasAndNothingOfTheMachine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "name-1.2.3")
	if err := os.MkdirAll(filepath.Join(dir, "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "b", "text"), []byte("text"))
	put(t, filepath.Join(dir, "a"), []byte("#!"))
	if err := errors.Join(os.Chmod(filepath.Join(dir, "a"), 0o711), os.Symlink("a", filepath.Join(dir, "c"))); err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(t.TempDir(), "1.tgz"), filepath.Join(t.TempDir(), "2.tgz")
	call(t, "pack", "--folder", dir, first)
	if err := os.Chtimes(filepath.Join(dir, "a"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	call(t, "pack", "--folder", dir+"/", second)
	bare := filepath.Join(t.TempDir(), "bare.tar")
	call(t, "pack", "--folder", dir, "--bare", bare)
	if data, _ := os.ReadFile(bare); !bytes.HasPrefix(data, []byte("a\x00")) {
		t.Fatalf("bare begins with %q", data[:min(len(data), 20)])
	}
	one, _ := os.ReadFile(first)
	two, _ := os.ReadFile(second)
	if !bytes.Equal(one, two) {
		t.Fatal("the same files make two archives")
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, fmt.Sprintf("%o %d %s%s", header.Mode, header.Uid, header.Name, header.Linkname))
	}
	want := "755 0 name-1.2.3/, 755 0 name-1.2.3/a, 755 0 name-1.2.3/b/, 644 0 name-1.2.3/b/text, 644 0 name-1.2.3/ca"
	if got := strings.Join(seen, ", "); got != want {
		t.Fatal(got)
	}
}

func TestBadInputIsRefusedAndSaysWhy(t *testing.T) {
	program, bundle := inputs(t, elf.EM_X86_64, false)
	dynamic, _ := inputs(t, elf.EM_X86_64, true)
	foreign, _ := inputs(t, elf.EM_S390, false)
	empty := filepath.Join(t.TempDir(), "empty")
	put(t, empty, nil)
	full := t.TempDir()
	put(t, filepath.Join(full, "mine"), []byte("mine"))
	layout := func(program, bundle, dir string) []string {
		return []string{"layout", "--program", program, "--ca-bundle", bundle, dir}
	}
	for _, one := range []struct {
		said string
		args []string
	}{
		{"no verb", nil},
		{`no verb "build"`, []string{"build"}},
		{"--program and --ca-bundle are needed", []string{"layout", "dir"}},
		{"the folder of the layout is needed", []string{"layout", "--program", program}},
		{`"a" is not NAME=VALUE`, []string{"layout", "--label", "a", "dir"}},
		{"no such file", layout(program+"-", bundle, t.TempDir())},
		{"is no ELF file", layout(bundle, bundle, t.TempDir())},
		{"is linked dynamically", layout(dynamic, bundle, t.TempDir())},
		{"is for EM_S390", layout(foreign, bundle, t.TempDir())},
		{"has no certificate", layout(program, empty, t.TempDir())},
		{"is not empty", layout(program, bundle, full)},
		{"is no OCI layout", []string{"push", "--layout", full, "127.0.0.1:1/a"}},
		{"one of --layout and --pull", []string{"unpack", "dir"}},
		{"could not parse reference", []string{"unpack", "--pull", "A B", t.TempDir()}},
		{"--folder is needed", []string{"pack", "file"}},
	} {
		err := run(one.args, strings.NewReader(""), io.Discard)
		if err == nil || !strings.Contains(err.Error(), one.said) {
			t.Errorf("image %s: %v, and not %q", strings.Join(one.args, " "), err, one.said)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if err := run(layout(program, bundle, t.TempDir()), nil, io.Discard); err == nil || !strings.Contains(err.Error(), "yesterday") {
		t.Error(err)
	}
	if there, _ := os.ReadDir(full); len(there) != 1 {
		t.Error("what was there is gone")
	}
}
