// image makes the controller's image without a container engine: one static
// program and what a program needs that has nothing else around it. It writes
// an OCI layout, pushes one to a registry, and unpacks one into a folder.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

const usage = `usage:
  image layout --program FILE --ca-bundle FILE [--name NAME] [--label NAME=VALUE]... DIR
        writes an OCI layout to DIR, which must be empty or absent; NAME is what its image is
        called where the layout is loaded
  image push --layout DIR REFERENCE
        pushes it to a registry, as the user that a login left in the Docker configuration
  image unpack (--layout DIR | --pull REFERENCE) ROOT
        unpacks an image into ROOT, which must be empty or absent
  image pack --folder DIR [--bare] FILE
        writes a folder as a tar.gz, or as a tar where FILE ends so, the same bytes for the same
        files; bare: what is in the folder, without it
  image registry
        a registry on loopback, for tests: prints its address, and ends with its standard input

What is made is printed by its digest. SOURCE_DATE_EPOCH is the time of everything
in what is made, in seconds; without it, 1970.
`

// wrong is a mistake of whoever called: it is told with the usage.
type wrong struct{ error }

func main() {
	err := run(os.Args[1:], os.Stdin, os.Stdout)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "image:", err)
	if errors.As(err, new(wrong)) {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	os.Exit(1)
}

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return wrong{errors.New("no verb")}
	}
	verbs := map[string]func([]string, io.Reader, io.Writer) error{
		"layout": layoutVerb, "push": pushVerb, "unpack": unpackVerb, "registry": registryVerb,
		"pack": packVerb,
	}
	verb, known := verbs[args[0]]
	if !known {
		return wrong{fmt.Errorf("no verb %q", args[0])}
	}
	return verb(args[1:], in, out)
}

func layoutVerb(args []string, _ io.Reader, out io.Writer) error {
	var from Contents
	from.Labels = map[string]string{}
	flags := newFlags("layout")
	flags.StringVar(&from.Program, "program", "", "")
	flags.StringVar(&from.CABundle, "ca-bundle", "", "")
	name := flags.String("name", "", "")
	flags.Func("label", "", func(text string) error {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return fmt.Errorf("%q is not NAME=VALUE", text)
		}
		from.Labels[name] = value
		return nil
	})
	dir, err := operand(flags, args, "the folder of the layout")
	if err != nil {
		return err
	}
	if from.Program == "" || from.CABundle == "" {
		return wrong{errors.New("--program and --ca-bundle are needed")}
	}
	if from.Time, err = sourceDate(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	image, err := from.Image()
	if err != nil {
		return err
	}
	if err := WriteLayout(image, *name, dir); err != nil {
		return err
	}
	return printDigest(out, image)
}

func pushVerb(args []string, _ io.Reader, out io.Writer) error {
	flags := newFlags("push")
	dir := flags.String("layout", "", "")
	reference, err := operand(flags, args, "the reference to push to")
	if err != nil {
		return err
	}
	if *dir == "" {
		return wrong{errors.New("--layout is needed")}
	}
	image, err := ReadLayout(*dir)
	if err != nil {
		return err
	}
	if err := Push(image, reference); err != nil {
		return err
	}
	return printDigest(out, image)
}

func unpackVerb(args []string, _ io.Reader, out io.Writer) error {
	flags := newFlags("unpack")
	dir := flags.String("layout", "", "")
	reference := flags.String("pull", "", "")
	root, err := operand(flags, args, "the folder to unpack into")
	if err != nil {
		return err
	}
	if (*dir == "") == (*reference == "") {
		return wrong{errors.New("one of --layout and --pull is needed")}
	}
	read, from := ReadLayout, *dir
	if *reference != "" {
		read, from = Pull, *reference
	}
	image, err := read(from)
	if err != nil {
		return err
	}
	if err := Unpack(image, root); err != nil {
		return err
	}
	return printDigest(out, image)
}

func registryVerb(args []string, in io.Reader, out io.Writer) error {
	if len(args) > 0 {
		return wrong{fmt.Errorf("what is %q?", args[0])}
	}
	return ServeRegistry(in, out)
}

func newFlags(verb string) *flag.FlagSet {
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the usage says it
	return flags
}

// operand reads the flags and the one argument that is none.
func operand(flags *flag.FlagSet, args []string, what string) (string, error) {
	if err := flags.Parse(args); err != nil {
		return "", wrong{err}
	}
	if flags.NArg() != 1 || flags.Arg(0) == "" {
		return "", wrong{fmt.Errorf("%s is needed, and nothing else", what)}
	}
	return flags.Arg(0), nil
}

// sourceDate reads what https://reproducible-builds.org/specs/source-date-epoch/ says.
func sourceDate(text string) (time.Time, error) {
	if text == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, which is no number of seconds since 1970", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
