// devcluster is a real Kubernetes control plane - etcd, kube-apiserver,
// kube-controller-manager and kube-scheduler - in one process, on loopback
// only, for development and tests. It has no kubelet: nodes are yours to bring.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
	_ "unsafe" // go:linkname

	"golang.org/x/sys/unix"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/version"
	"k8s.io/klog/v2"
)

const (
	serviceCIDR = "10.96.0.0/16"
	serviceIP   = "10.96.0.1"
)

// kubeVersion is the release that this program was built from, as its go.mod says.
var kubeVersion = moduleVersion("k8s.io/kubernetes")

// The release build sets these with -ldflags -X; set here so that a plain
// `go build` serves a true /version too (the fallback is v0.0.0-master).
//
//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

//go:linkname gitMajor k8s.io/component-base/version.gitMajor
var gitMajor string

//go:linkname gitMinor k8s.io/component-base/version.gitMinor
var gitMinor string

type multi []string

func (m *multi) String() string     { return strings.Join(*m, " ") }
func (m *multi) Set(s string) error { *m = append(*m, s); return nil }

type options struct {
	dataDir, kubeconfig, readyFile, logFile string
	port, verbosity                         int
	wipe, etcdFsync, noKCM, noSched         bool
	exitWithStdin                           bool
	apiserverArgs, kcmArgs, schedArgs       multi
}

func main() {
	setVersion()
	if filepath.Base(os.Args[0]) == kubectlName {
		runKubectl(os.Args)
	}
	if len(os.Args) > 1 && os.Args[1] == kubectlName {
		runKubectl(os.Args[1:])
	}
	var o options
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: devcluster [flags]          run a control plane until SIGINT or SIGTERM")
		fmt.Fprintln(flag.CommandLine.Output(), "       devcluster kubectl ...      kubectl of the same release")
		flag.PrintDefaults()
	}
	flag.StringVar(&o.dataDir, "data-dir", "", "etcd data, certificates, logs; kept and reused (default: a temporary directory, removed on exit)")
	flag.BoolVar(&o.wipe, "wipe", false, "empty --data-dir first")
	flag.IntVar(&o.port, "bind-port", 0, "port of the API on 127.0.0.1 (0: any free one)")
	flag.StringVar(&o.kubeconfig, "kubeconfig", "", "write the admin kubeconfig here (default: DATA-DIR/admin.kubeconfig)")
	flag.StringVar(&o.readyFile, "ready-file", "", "written (JSON) when everything is up; removed at start and on exit")
	flag.StringVar(&o.logFile, "log-file", "", "the components' log (default: DATA-DIR/devcluster.log; - for stderr)")
	flag.IntVar(&o.verbosity, "v", 0, "klog verbosity")
	flag.BoolVar(&o.etcdFsync, "etcd-fsync", false, "let etcd fsync (off: faster, and fine for a throw-away cluster)")
	flag.BoolVar(&o.noKCM, "no-controller-manager", false, "do not start kube-controller-manager")
	flag.BoolVar(&o.noSched, "no-scheduler", false, "do not start kube-scheduler")
	flag.BoolVar(&o.exitWithStdin, "exit-with-stdin", false, "stop when stdin is closed (so a test's cluster dies with the test)")
	flag.Var(&o.apiserverArgs, "apiserver-arg", "a flag for kube-apiserver, repeatable: --apiserver-arg=--max-requests-inflight=0")
	flag.Var(&o.kcmArgs, "kcm-arg", "a flag for kube-controller-manager, repeatable")
	flag.Var(&o.schedArgs, "scheduler-arg", "a flag for kube-scheduler, repeatable")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "devcluster: unexpected argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	klog.OsExit = exit
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		exit(1)
	}
	exit(0)
}

func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == path {
				return module.Version
			}
		}
	}
	panic("the program does not say which " + path + " it was built from")
}

func setVersion() {
	gitVersion, gitMajor = kubeVersion, "1"
	gitMinor = strings.Split(kubeVersion, ".")[1]
	if err := version.SetDynamicVersion(kubeVersion); err != nil {
		panic(err)
	}
}

// component runs f; a component that ends before it is told to takes the process down.
type component struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
}

func (c *component) stop(limit time.Duration) {
	t0 := time.Now()
	c.cancel()
	select {
	case <-c.done:
		say("%-26s stopped in %v", c.name, round(time.Since(t0)))
	case <-time.After(limit):
		say("%-26s still running after %v, left behind", c.name, limit)
	}
}

var started = time.Now()

var temp []string // directories that go when the process goes

// exit leaves at once. An apiserver cancelled before it is ready calls
// klog.Fatal from a post-start hook, so a start that is cut short ends here.
func exit(code int) {
	for _, d := range temp {
		os.RemoveAll(d)
	}
	os.Exit(code)
}

func say(f string, a ...any) {
	fmt.Fprintf(os.Stderr, "devcluster %7.3fs  "+f+"\n", append([]any{time.Since(started).Seconds()}, a...)...)
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

func run(o options) (err error) {
	sigs := make(chan os.Signal, 2)
	signal.Notify(sigs, syscall.SIGINT, syscall.SIGTERM)
	fatal := make(chan error, 8)

	// where
	if o.dataDir == "" {
		if o.dataDir, err = os.MkdirTemp("", "devcluster-"); err != nil {
			return err
		}
		temp = append(temp, o.dataDir)
	} else if o.wipe {
		if err := os.RemoveAll(o.dataDir); err != nil {
			return err
		}
	}
	if o.dataDir, err = filepath.Abs(o.dataDir); err != nil {
		return err
	}
	if err := os.MkdirAll(o.dataDir, 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(o.dataDir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("%s is in use by another devcluster: %w", o.dataDir, err)
	}
	if o.readyFile != "" {
		if err := os.Remove(o.readyFile); err != nil && !os.IsNotExist(err) {
			return err
		}
		defer os.Remove(o.readyFile)
	}
	sockDir, err := os.MkdirTemp("", "dc")
	if err != nil {
		return err
	}
	temp = append(temp, sockDir)

	// logs
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	_ = fs.Set("v", fmt.Sprint(o.verbosity))
	if o.logFile == "" {
		o.logFile = filepath.Join(o.dataDir, "devcluster.log")
	}
	if o.logFile != "-" {
		f, err := os.OpenFile(o.logFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return err
		}
		klog.LogToStderr(false)
		_ = fs.Set("stderrthreshold", "FATAL")
		_ = fs.Set("one_output", "true") // or a warning is written once a severity
		klog.SetOutput(f)
		defer klog.Flush()
	}

	p, err := ensurePKI(filepath.Join(o.dataDir, "pki"))
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	say("certificates ready in %s", o.dataDir)

	ln, err := listen(fmt.Sprintf("127.0.0.1:%d", o.port))
	if err != nil {
		return err
	}
	server := "https://" + ln.Addr().String()
	kc := func(user string) string { return filepath.Join(o.dataDir, user+".kubeconfig") }
	for _, user := range []string{"admin", "controller-manager", "scheduler"} {
		if err := p.writeKubeconfig(kc(user), server, user); err != nil {
			return err
		}
	}

	etcd, etcdURL, err := startEtcd(filepath.Join(o.dataDir, "etcd"), sockDir, filepath.Join(o.dataDir, "etcd.log"), o.etcdFsync)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer func() {
		t0 := time.Now()
		etcd.Close()
		say("%-26s stopped in %v", "etcd", round(time.Since(t0)))
	}()
	go func() {
		if err, ok := <-etcd.Err(); ok && err != nil {
			fatal <- fmt.Errorf("etcd: %w", err)
		}
	}()
	say("etcd ready (%s, fsync=%v)", etcdURL, o.etcdFsync)

	launch := func(name string, f func(context.Context) error) *component {
		ctx, cancel := context.WithCancel(context.Background())
		c := &component{name: name, cancel: cancel, done: make(chan struct{})}
		go func() {
			defer close(c.done)
			err := f(ctx)
			if ctx.Err() == nil {
				fatal <- fmt.Errorf("%s ended: %v", name, err)
			}
		}()
		return c
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	cp, err := parseFlags(p, etcdURL, kc("controller-manager"), kc("scheduler"), o.apiserverArgs, o.kcmArgs, o.schedArgs)
	if err != nil {
		return err
	}
	runAPI, err := cp.apiServer(ctx, ln)
	if err != nil {
		return err
	}
	api := launch("kube-apiserver", runAPI)
	defer func() { api.stop(15 * time.Second) }()

	cfg, err := clientcmd.BuildConfigFromFlags("", kc("admin"))
	if err != nil {
		return err
	}
	cfg.QPS = -1
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return err
	}

	wait := func(what string, ok func(context.Context) bool) (time.Duration, error) {
		limit := time.After(120 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			c, cancel := context.WithTimeout(ctx, 5*time.Second)
			good := ok(c)
			cancel()
			if good {
				return time.Since(started), nil
			}
			select {
			case err := <-fatal:
				return 0, err
			case s := <-sigs:
				say("%v while waiting for %s", s, what)
				exit(130)
			case <-limit:
				return 0, fmt.Errorf("%s not up after 120 s; log: %s", what, o.logFile)
			case <-tick.C:
			}
		}
	}
	readyz, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return err
	}
	tAPI, err := wait("kube-apiserver", func(c context.Context) bool {
		req, _ := http.NewRequestWithContext(c, "GET", server+"/readyz", nil)
		resp, err := readyz.Do(req)
		if err != nil {
			return false
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp.StatusCode == 200
	})
	if err != nil {
		return err
	}
	say("kube-apiserver ready at %s", server)

	// Controllers and scheduler start side by side.
	var mu sync.Mutex
	var comps []*component
	defer func() {
		var wg sync.WaitGroup
		for _, c := range comps {
			wg.Add(1)
			go func() { defer wg.Done(); c.stop(10 * time.Second) }()
		}
		wg.Wait()
	}()
	add := func(c *component) { mu.Lock(); comps = append(comps, c); mu.Unlock() }
	type result struct {
		name string
		err  error
	}
	pending := 0
	up := make(chan result, 2)
	var tKCM, tSched time.Duration
	if !o.noKCM {
		f, err := cp.controllerManager(ctx)
		if err != nil {
			return err
		}
		add(launch("kube-controller-manager", f))
		pending++
		go func() {
			// Pods are refused until a namespace has its default service account.
			d, err := wait("kube-controller-manager", func(c context.Context) bool {
				_, err := client.CoreV1().ServiceAccounts("default").Get(c, "default", metav1.GetOptions{})
				if err != nil {
					if !apierrors.IsNotFound(err) {
						klog.V(2).Info(err)
					}
					return false
				}
				_, err = client.CoreV1().ConfigMaps("default").Get(c, "kube-root-ca.crt", metav1.GetOptions{})
				return err == nil
			})
			tKCM = d
			up <- result{"kube-controller-manager", err}
		}()
	}
	if !o.noSched {
		f, synced, err := cp.scheduler(ctx)
		if err != nil {
			return err
		}
		add(launch("kube-scheduler", f))
		pending++
		go func() {
			c, cancel := context.WithTimeout(ctx, 120*time.Second)
			defer cancel()
			err := synced(c)
			tSched = time.Since(started)
			up <- result{"kube-scheduler", err}
		}()
	}
	for ; pending > 0; pending-- {
		select {
		case r := <-up:
			if r.err != nil {
				return fmt.Errorf("%s: %w", r.name, r.err)
			}
			say("%s up", r.name)
		case err := <-fatal:
			return err
		case s := <-sigs:
			say("%v while starting", s)
			exit(130)
		}
	}

	if o.kubeconfig == "" {
		o.kubeconfig = kc("admin")
	} else if err := p.writeKubeconfig(o.kubeconfig, server, "admin"); err != nil {
		return err
	}
	if o.readyFile != "" {
		b, _ := json.MarshalIndent(map[string]any{
			"pid": os.Getpid(), "server": server, "kubeconfig": o.kubeconfig, "dataDir": o.dataDir, "log": o.logFile,
			"kubernetes": kubeVersion, "etcdFsync": o.etcdFsync,
			"apiReadySeconds": tAPI.Seconds(), "controllerManagerSeconds": tKCM.Seconds(), "schedulerSeconds": tSched.Seconds(),
		}, "", "  ")
		tmp := o.readyFile + ".tmp"
		if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
			return err
		}
		if err := os.Rename(tmp, o.readyFile); err != nil {
			return err
		}
	}
	say("ready: export KUBECONFIG=%s", o.kubeconfig)

	stdin := make(chan struct{})
	if o.exitWithStdin {
		go func() { io.Copy(io.Discard, os.Stdin); close(stdin) }()
	}
	outage := make(chan os.Signal, 2)
	signal.Notify(outage, syscall.SIGUSR1, syscall.SIGUSR2)
	away := false
	for running := true; running; {
		select {
		case s := <-sigs:
			say("%v: stopping", s)
			running = false
		case <-stdin:
			say("stdin closed: stopping")
			running = false
		case err := <-fatal:
			return err
		case s := <-outage:
			if (s == syscall.SIGUSR1) == !away {
				if away {
					ln, runAPI, err = comeBack(ctx, cp, etcd, ln.Addr().String())
					if err != nil {
						return err
					}
					api = launch("kube-apiserver", runAPI)
				} else {
					ln.cut()
					api.stop(15 * time.Second)
				}
				away = !away
			}
		}
	}
	go func() { <-sigs; say("second signal: exit now"); exit(130) }()
	return nil
}
