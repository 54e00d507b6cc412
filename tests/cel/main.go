// Converts the specification's conformance tables into the rows that the policy crate's harness walks: one
// *.json a table. What needs messages of protocol buffers is left out, counted by its reason.
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	expr "cel.dev/expr"
	_ "cel.dev/expr/conformance/proto2"
	_ "cel.dev/expr/conformance/proto3"
	conformance "cel.dev/expr/conformance/test"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type row struct {
	Name      string         `json:"name"`
	Expr      string         `json:"expr"`
	Container string         `json:"container,omitempty"`
	Bindings  map[string]any `json:"bindings,omitempty"`
	Value     any            `json:"value,omitempty"`
	Error     string         `json:"error,omitempty"`
	Type      string         `json:"type,omitempty"`
}

// Why a case is left out. Everything else is either converted or a fatal error.
var (
	errMessage = errors.New("needs messages of protocol buffers")
	errUnknown = errors.New("partial evaluation")
	errGeneric = errors.New("declares functions of the host")
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: cel TESTDATA FOLDER")
	}
	paths, err := filepath.Glob(filepath.Join(os.Args[1], "*.textproto"))
	if err != nil || len(paths) == 0 {
		log.Fatalf("no tables in %s", os.Args[1])
	}
	converted, left := 0, map[string]int{}
	for _, path := range paths {
		table := strings.TrimSuffix(filepath.Base(path), ".textproto")
		rows := convert(path, table, left)
		converted += len(rows)
		if len(rows) == 0 {
			continue
		}
		text, err := json.MarshalIndent(rows, "", " ")
		if err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(os.Args[2], table+".json"), text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%d cases converted\n", converted)
	for reason, cases := range left {
		fmt.Printf("%d left out: %s\n", cases, reason)
	}
}

func convert(path, table string, left map[string]int) []row {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	var file conformance.SimpleTestFile
	if err := prototext.Unmarshal(text, &file); err != nil {
		log.Fatalf("%s: %v", path, err)
	}
	var rows []row
	for _, section := range file.Section {
		for _, test := range section.Test {
			name := table + "/" + section.Name + "/" + test.Name
			row, err := rowOf(test)
			switch {
			case errors.Is(err, errMessage), errors.Is(err, errUnknown), errors.Is(err, errGeneric):
				left[err.Error()]++
			case err != nil:
				log.Fatalf("%s: %v", name, err)
			default:
				row.Name = name
				rows = append(rows, *row)
			}
		}
	}
	return rows
}

// What only a message, or the enumeration of one, can be about.
var messages = []string{"TestAllTypes", "NestedTestAllTypes", "cel.expr.conformance", "NestedEnum", "GlobalEnum",
	"google.protobuf.Any", "google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue",
	"google.protobuf.Timestamp{", "google.protobuf.Duration{", "Value{", "proto.hasExt", "proto.getExt"}

func rowOf(test *conformance.SimpleTest) (*row, error) {
	for _, word := range messages {
		if strings.Contains(test.Expr, word) {
			return nil, errMessage
		}
	}
	if strings.HasPrefix(test.Container, "cel.expr.conformance") {
		return nil, errMessage
	}
	dynamic := func(name string) bool { // without a declaration, or declared as such
		for _, decl := range test.TypeEnv {
			if decl.Name == name {
				return decl.GetIdent().GetType().GetDyn() != nil
			}
		}
		return true
	}
	for _, decl := range test.TypeEnv {
		if decl.GetFunction() != nil {
			return nil, errGeneric
		}
		if needsMessage(decl.GetIdent().GetType()) {
			return nil, errMessage
		}
	}
	row := &row{Expr: test.Expr, Container: test.Container}
	for name, bound := range test.Bindings {
		value, err := valueOf(bound.GetValue())
		if err != nil {
			return nil, err
		}
		if dynamic(name) {
			value = map[string]any{"dyn": value}
		}
		if row.Bindings == nil {
			row.Bindings = map[string]any{}
		}
		row.Bindings[name] = value
	}
	for _, decl := range test.TypeEnv { // declared, and bound to nothing
		if _, bound := row.Bindings[decl.Name]; !bound {
			if row.Bindings == nil {
				row.Bindings = map[string]any{}
			}
			row.Bindings[decl.Name] = map[string]any{"declared": typeOf(decl.GetIdent().GetType())}
		}
	}
	switch matcher := test.ResultMatcher.(type) {
	case *conformance.SimpleTest_EvalError, *conformance.SimpleTest_AnyEvalErrors:
		row.Error = "any"
		return row, nil
	case *conformance.SimpleTest_Unknown, *conformance.SimpleTest_AnyUnknowns:
		return nil, errUnknown
	case *conformance.SimpleTest_TypedResult:
		if needsMessage(matcher.TypedResult.DeducedType) {
			return nil, errMessage
		}
		row.Type = typeOf(matcher.TypedResult.DeducedType)
		if matcher.TypedResult.Result == nil {
			return row, nil
		}
		value, err := valueOf(matcher.TypedResult.Result)
		row.Value = value
		return row, err
	case *conformance.SimpleTest_Value:
		value, err := valueOf(matcher.Value)
		row.Value = value
		return row, err
	case nil: // the tables' own default
		row.Value = true
		return row, nil
	default:
		return nil, fmt.Errorf("unknown matcher %T", matcher)
	}
}

// JSON null would vanish from a row that omits what is empty.
var null = json.RawMessage("null")

func valueOf(value *expr.Value) (any, error) {
	switch kind := value.GetKind().(type) {
	case *expr.Value_NullValue:
		return null, nil
	case *expr.Value_BoolValue:
		return kind.BoolValue, nil
	case *expr.Value_Int64Value:
		return map[string]any{"int": fmt.Sprint(kind.Int64Value)}, nil
	case *expr.Value_Uint64Value:
		return map[string]any{"uint": fmt.Sprint(kind.Uint64Value)}, nil
	case *expr.Value_DoubleValue:
		return map[string]any{"double": double(kind.DoubleValue)}, nil
	case *expr.Value_StringValue:
		return kind.StringValue, nil
	case *expr.Value_BytesValue:
		return map[string]any{"bytes": hex.EncodeToString(kind.BytesValue)}, nil
	case *expr.Value_TypeValue:
		return map[string]any{"type": kind.TypeValue}, nil
	case *expr.Value_ListValue:
		values := []any{}
		for _, element := range kind.ListValue.Values {
			value, err := valueOf(element)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		return values, nil
	case *expr.Value_MapValue:
		entries := [][2]any{}
		for _, entry := range kind.MapValue.Entries {
			key, err := valueOf(entry.Key)
			if err != nil {
				return nil, err
			}
			value, err := valueOf(entry.Value)
			if err != nil {
				return nil, err
			}
			entries = append(entries, [2]any{key, value})
		}
		return map[string]any{"map": entries}, nil
	case *expr.Value_ObjectValue:
		message, err := kind.ObjectValue.UnmarshalNew()
		if err != nil {
			return nil, err
		}
		switch message := message.(type) {
		case *timestamppb.Timestamp:
			return map[string]any{"timestamp": message.AsTime().Format("2006-01-02T15:04:05.999999999Z")}, nil
		case *durationpb.Duration:
			return map[string]any{"duration": message.AsDuration().String()}, nil
		}
		return nil, errMessage
	case *expr.Value_EnumValue:
		return nil, errMessage
	default:
		return nil, fmt.Errorf("unknown value %T", kind)
	}
}

func double(value float64) any {
	switch {
	case math.IsNaN(value):
		return "NaN"
	case math.IsInf(value, 1):
		return "inf"
	case math.IsInf(value, -1):
		return "-inf"
	default:
		return fmt.Sprintf("%g", value)
	}
}

func needsMessage(ty *expr.Type) bool {
	switch kind := ty.GetTypeKind().(type) {
	case *expr.Type_MessageType, *expr.Type_Wrapper:
		return true
	case *expr.Type_ListType_:
		return needsMessage(kind.ListType.ElemType)
	case *expr.Type_MapType_:
		return needsMessage(kind.MapType.KeyType) || needsMessage(kind.MapType.ValueType)
	case *expr.Type_AbstractType_:
		return slices.ContainsFunc(kind.AbstractType.ParameterTypes, needsMessage)
	case *expr.Type_WellKnown:
		return kind.WellKnown == expr.Type_ANY
	default:
		return false
	}
}

// As the documentation of the policy crate writes types.
func typeOf(ty *expr.Type) string {
	switch kind := ty.GetTypeKind().(type) {
	case *expr.Type_Dyn:
		return "dyn"
	case *expr.Type_Null:
		return "null"
	case *expr.Type_Primitive:
		if kind.Primitive == expr.Type_INT64 {
			return "int"
		}
		if kind.Primitive == expr.Type_UINT64 {
			return "uint"
		}
		return strings.ToLower(kind.Primitive.String())
	case *expr.Type_WellKnown:
		return strings.ToLower(kind.WellKnown.String())
	case *expr.Type_ListType_:
		return "list(" + typeOf(kind.ListType.ElemType) + ")"
	case *expr.Type_MapType_:
		return "map(" + typeOf(kind.MapType.KeyType) + ", " + typeOf(kind.MapType.ValueType) + ")"
	case *expr.Type_Type:
		return "type"
	case *expr.Type_TypeParam:
		return "dyn"
	case *expr.Type_AbstractType_:
		parameters := []string{}
		for _, parameter := range kind.AbstractType.ParameterTypes {
			parameters = append(parameters, typeOf(parameter))
		}
		return kind.AbstractType.Name + "(" + strings.Join(parameters, ", ") + ")"
	default:
		return fmt.Sprintf("%T", kind)
	}
}
