// Command policy-readers tells how two libraries that are not ours read a policy (C2SP tlog-policy), and what they think of a
// log by it: Tessera, which logs are built with, and torchwood, which verifiers and witnesses are. `scripts/install test`
// builds it.
//
//	policy-readers POLICY CHECKPOINT          whether each finds the quorum under the checkpoint, as JSON
//	policy-readers POLICY CHECKPOINT PROOF RECORD   and whether the tlog-proof of the record holds
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"github.com/transparency-dev/tessera"
	"golang.org/x/mod/sumdb/tlog"
)

type reading struct {
	// The names of the witnesses that Tessera would ask, by their URLs.
	Witnesses map[string]string `json:"witnesses"`
	// Whether Tessera finds the quorum.
	Satisfied bool `json:"satisfied"`
	// Why torchwood does not accept the checkpoint; empty where it does.
	Checkpoint string `json:"checkpoint"`
	// What torchwood accepts.
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	// Why torchwood does not accept the proof; empty where it does, or there is none.
	Proof string `json:"proof"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "policy-readers:", err)
		os.Exit(1)
	}
}

func run(paths []string) error {
	if len(paths) != 2 && len(paths) != 4 {
		return fmt.Errorf("expected POLICY CHECKPOINT [PROOF RECORD], got %d arguments", len(paths))
	}
	files := make([][]byte, len(paths))
	for i, path := range paths {
		var err error
		if files[i], err = os.ReadFile(path); err != nil {
			return err
		}
	}
	told, err := read(files[0], files[1])
	if err != nil {
		return err
	}
	if len(files) == 4 {
		policy, err := torchwood.ParsePolicy(files[0])
		if err != nil {
			return err
		}
		told.Proof = why(torchwood.VerifyProof(policy, tlog.RecordHash(files[3]), files[2]))
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}

func read(policy, checkpoint []byte) (reading, error) {
	told := reading{Witnesses: map[string]string{}}
	group, err := tessera.NewWitnessGroupFromPolicy(policy)
	if err != nil {
		return told, fmt.Errorf("Tessera: %w", err)
	}
	for url, verifier := range group.Endpoints() {
		told.Witnesses[url] = verifier.Name()
	}
	told.Satisfied = group.Satisfied(checkpoint)
	parsed, err := torchwood.ParsePolicy(policy)
	if err != nil {
		return told, fmt.Errorf("torchwood: %w", err)
	}
	accepted, _, err := torchwood.VerifyCheckpoint(checkpoint, parsed)
	told.Checkpoint, told.Origin, told.Size = why(err), accepted.Origin, accepted.N
	return told, nil
}

func why(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
