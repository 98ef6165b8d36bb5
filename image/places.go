package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// refName is what a layout calls an image.
const refName = "org.opencontainers.image.ref.name"

// WriteLayout writes a layout that has this image and no other.
func WriteLayout(image v1.Image, name, dir string) error {
	if err := makeEmpty(dir); err != nil {
		return err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("writing the layout: %w", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		return fmt.Errorf("writing the layout: %w", err)
	}
	platform := v1.Platform{OS: config.OS, Architecture: config.Architecture}
	options := []layout.Option{layout.WithPlatform(platform)}
	if name != "" {
		options = append(options, layout.WithAnnotations(map[string]string{refName: name}))
	}
	if err := path.AppendImage(image, options...); err != nil {
		return fmt.Errorf("writing the layout: %w", err)
	}
	return nil
}

// ReadLayout gives the one image of a layout.
func ReadLayout(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("%s is no OCI layout: %w", dir, err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s has %d images, and not one", dir, len(manifest.Manifests))
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", dir, err)
	}
	return image, nil
}

// Push sends an image to a registry.
func Push(image v1.Image, reference string) error {
	to, err := name.ParseReference(reference)
	if err != nil {
		return wrong{err}
	}
	if err := remote.Write(to, image, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return fmt.Errorf("pushing to %s: %w", reference, err)
	}
	return nil
}

// Pull fetches an image from a registry; its layers come as they are read.
func Pull(reference string) (v1.Image, error) {
	from, err := name.ParseReference(reference)
	if err != nil {
		return nil, wrong{err}
	}
	image, err := remote.Image(from, remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, fmt.Errorf("pulling %s: %w", reference, err)
	}
	return image, nil
}

// Unpack writes the files of an image below a folder, with their modes and, for root, their owners.
func Unpack(image v1.Image, dir string) error {
	if err := makeEmpty(dir); err != nil {
		return err
	}
	// Nothing in an image leads out of it.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	defer root.Close()
	files := mutate.Extract(image)
	defer files.Close()
	for reader := tar.NewReader(files); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
		if err := unpackOne(root, dir, header, reader); err != nil {
			return fmt.Errorf("unpacking %s: %w", header.Name, err)
		}
	}
}

func unpackOne(root *os.Root, dir string, header *tar.Header, data io.Reader) error {
	if !filepath.IsLocal(header.Name) {
		return errors.New("it is not inside the image")
	}
	name, mode := filepath.Clean(header.Name), os.FileMode(header.Mode).Perm()
	switch header.Typeflag {
	case tar.TypeDir:
		if err := root.Mkdir(name, mode); err != nil {
			return err
		}
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		if _, err := io.Copy(file, data); err != nil {
			file.Close()
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("images of ours have files and folders, and no entry of type %q", header.Typeflag)
	}
	path := filepath.Join(dir, name)
	if os.Geteuid() == 0 {
		if err := os.Lchown(path, header.Uid, header.Gid); err != nil {
			return err
		}
	}
	return os.Chmod(path, mode) // whatever the umask is
}

// ServeRegistry runs a registry in memory until its input ends.
func ServeRegistry(in io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("a port for the registry: %w", err)
	}
	quiet := log.New(io.Discard, "", 0)
	server := &http.Server{Handler: registry.New(registry.Logger(quiet)), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = server.Close()
	}()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the registry: %w", err)
	}
	return nil
}

// makeEmpty makes a folder, or takes one that has nothing in it: what is there is not ours to remove.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	there, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return fmt.Errorf("%s is not empty", dir)
	}
	return nil
}

func printDigest(out io.Writer, image v1.Image) error {
	digest, err := image.Digest()
	if err != nil {
		return fmt.Errorf("the image's digest: %w", err)
	}
	_, err = fmt.Fprintln(out, digest)
	return err
}
