// Pins the conformance tables of the Common Expression Language specification; run.sh converts and walks them.
module angos.test/cel

go 1.24.0

require (
	cel.dev/expr v0.25.3
	google.golang.org/protobuf v1.36.10
)
