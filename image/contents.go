package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/x509"
	"debug/elf"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	// programPath is where the program is, and the entrypoint.
	programPath = "module-controller"
	// user is whom the manifests of deploy/ run it as; it owns no file.
	user = 65532
)

// Names resolve by /etc/hosts, which the kubelet writes, and then by the cluster's DNS. Both are in
// the program itself since glibc 2.34; what else a C library would look for is not there.
const nsswitch = `passwd: files
group: files
hosts: files dns
`

const passwd = `root:x:0:0:root:/:/nonexistent
nonroot:x:65532:65532:nonroot:/:/nonexistent
`

const group = `root:x:0:
nonroot:x:65532:
`

// architectures are those that we know by the machine that a program is for.
var architectures = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}

// Contents is what an image is made of. The same contents make the same image.
type Contents struct {
	// Program and CABundle are files.
	Program, CABundle string
	Labels            map[string]string
	Time              time.Time
}

// file is one entry of the layer; root owns it.
type file struct {
	name string
	mode int64
	data []byte
}

// Image makes the image, in memory.
func (c Contents) Image() (v1.Image, error) {
	program, architecture, err := readProgram(c.Program)
	if err != nil {
		return nil, err
	}
	bundle, err := readBundle(c.CABundle)
	if err != nil {
		return nil, err
	}
	data, err := c.archive([]file{
		{"etc/", 0o755, nil},
		{"etc/group", 0o644, []byte(group)},
		{"etc/nsswitch.conf", 0o644, []byte(nsswitch)},
		{"etc/passwd", 0o644, []byte(passwd)},
		{"etc/ssl/", 0o755, nil},
		{"etc/ssl/certs/", 0o755, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, bundle},
		{programPath, 0o755, program},
	})
	if err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	layer, err := tarball.LayerFromOpener(open,
		tarball.WithCompressionLevel(gzip.DefaultCompression), tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("making the layer: %w", err)
	}
	return c.configured(layer, architecture)
}

func (c Contents) configured(layer v1.Layer, architecture string) (v1.Image, error) {
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	image, err := mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: v1.Time{Time: c.Time}, CreatedBy: "image layout"},
	})
	if err != nil {
		return nil, fmt.Errorf("making the image: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("making the image: %w", err)
	}
	config = config.DeepCopy()
	config.Created = v1.Time{Time: c.Time}
	config.OS, config.Architecture = "linux", architecture
	config.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", user, user),
		Entrypoint: []string{"/" + programPath},
		WorkingDir: "/",
		Labels:     c.Labels,
	}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		return nil, fmt.Errorf("making the image: %w", err)
	}
	return mutate.Annotations(image, c.Labels).(v1.Image), nil
}

// archive writes files as a tar, without anything of the machine that writes it.
func (c Contents) archive(files []file) ([]byte, error) {
	var data bytes.Buffer
	writer := tar.NewWriter(&data)
	for _, file := range files {
		header := tar.Header{
			Typeflag: tar.TypeReg, Name: file.name, Mode: file.mode, Size: int64(len(file.data)), ModTime: c.Time,
		}
		if file.data == nil {
			header.Typeflag = tar.TypeDir
		}
		if err := writer.WriteHeader(&header); err != nil {
			return nil, fmt.Errorf("writing %s: %w", file.name, err)
		}
		if _, err := writer.Write(file.data); err != nil {
			return nil, fmt.Errorf("writing %s: %w", file.name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	return data.Bytes(), nil
}

// readProgram reads one that needs no other file to run, and says for what it is.
func readProgram(path string) ([]byte, string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("the program: %w", err)
	}
	program, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, "", fmt.Errorf("the program: %s is no ELF file: %w", path, err)
	}
	defer program.Close()
	if program.Type != elf.ET_EXEC && program.Type != elf.ET_DYN {
		return nil, "", fmt.Errorf("the program: %s is no executable file", path)
	}
	architecture, known := architectures[program.Machine]
	if !known {
		return nil, "", fmt.Errorf("the program: %s is for %s, and images are for amd64 and arm64", path, program.Machine)
	}
	for _, part := range program.Progs {
		if part.Type == elf.PT_INTERP {
			return nil, "", fmt.Errorf("the program: %s is linked dynamically, and nothing in the image could load it", path)
		}
	}
	if needed, err := program.ImportedLibraries(); err == nil && len(needed) > 0 {
		return nil, "", fmt.Errorf("the program: %s needs %v, which the image has not", path, needed)
	}
	return data, architecture, nil
}

func readBundle(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the CA bundle: %w", err)
	}
	count := 0
	for rest := data; ; count++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("the CA bundle: block %d of %s is %s, and no certificate", count+1, path, block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return nil, fmt.Errorf("the CA bundle: block %d of %s is no certificate: %w", count+1, path, err)
		}
	}
	if count == 0 {
		return nil, fmt.Errorf("the CA bundle: %s has no certificate in PEM", path)
	}
	return data, nil
}
