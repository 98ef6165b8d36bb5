package main

import (
	"os"

	"k8s.io/component-base/cli"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// kubectlName is the subcommand, and the name under which a link to this binary is kubectl itself.
const kubectlName = "kubectl"

// runKubectl is the kubectl of the same Kubernetes release as the control plane, so that
// nothing depends on the one a machine happens to have. args[0] is the program's name.
// It does not return: a failed command leaves with kubectl's own message and exit code.
func runKubectl(args []string) {
	os.Args = args
	if err := cli.RunNoErrOutput(kubectlcmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
	os.Exit(0)
}
