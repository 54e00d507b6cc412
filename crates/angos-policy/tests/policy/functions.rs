//! Functions with arguments that a service declares.

use angos_identity::Identity;
use angos_policy::{Environment, Expression, NoFacts, Type, Undecidable, Value};

const FLOORS: &[&str] = &["cellar", "roof"];

fn environment() -> Environment {
    Environment::builder()
        .variable("badge", Type::String)
        .function("floor", &[Type::Enum(FLOORS)], Type::Int, |arguments| match arguments {
            [Value::String("cellar")] => Ok(Value::Int(-1)),
            [Value::String("roof")] => Ok(Value::Int(9)),
            _ => Err(Undecidable::Function),
        })
        .function("last", &[Type::String, Type::String], Type::String, |arguments| match arguments {
            [Value::String(text), Value::String(by)] => {
                Ok(text.rsplit(by).next().map_or(Value::Absent, Value::String))
            }
            _ => Err(Undecidable::Mistyped),
        })
        .function("lift", &[Type::Int], Type::Enum(FLOORS), |arguments| match arguments {
            [Value::Int(1)] => Ok(Value::String("roof")),
            _ => Ok(Value::String("attic")),
        })
        .function("liar", &[Type::Int], Type::Bool, |_| Ok(Value::Int(1)))
        .function("endless", &[Type::Int], Type::String, |_| Ok(Value::String(LONG)))
        .build()
        .expect("environment")
}

const LONG: &str = match std::str::from_utf8(&[b'x'; 5000]) {
    Ok(text) => text,
    Err(_) => "",
};

#[test]
fn functions_are_called_with_what_they_declare() {
    let caller = Identity::new([192, 0, 2, 1].into(), None, None);
    for (source, expected) in [
        ("floor('cellar') + floor('roof')", Ok(Value::Int(8))),
        ("last('team/app', '/')", Ok(Value::String("app"))),
        ("last('a' + '/' + 'b', '/') + last('c/' + 'd', '' + '/')", Ok(Value::String("bd"))),
        ("['a/b', 'a/c'].exists(x, last(x, '/') == 'c')", Ok(Value::Bool(true))),
        ("floor('')", Err(Undecidable::UnknownEnumValue)),
        ("floor('ro' + 'of')", Ok(Value::Int(9))),
        ("floor('at' + 'tic')", Err(Undecidable::UnknownEnumValue)),
        ("floor(dyn('at' + 'tic'))", Err(Undecidable::UnknownEnumValue)),
        ("floor(dyn(9))", Err(Undecidable::Mistyped)),
        ("lift(1)", Ok(Value::String("roof"))),
        ("lift(2)", Err(Undecidable::UnknownEnumValue)),
        ("lift(2) != 'roof'", Err(Undecidable::UnknownEnumValue)),
        ("last(badge, '/')", Err(Undecidable::Absent)),
        ("liar(1)", Err(Undecidable::Mistyped)),
        ("liar(1) || true", Ok(Value::Bool(true))),
        ("endless(1)", Err(Undecidable::TextTooLong)),
    ] {
        let expression = Expression::compile(&environment(), source).expect(source);
        expression.evaluate(&caller, &NoFacts, |value| assert_eq!(value, expected, "{source}"));
    }
}

#[test]
fn calls_are_checked() {
    for (source, column, message) in [
        ("floor('attic')", 7, "'attic' is not one of the possible values"),
        ("floor(1)", 7, "argument 1 of `floor` must be a string, this is an int"),
        ("floor()", 1, "`floor` takes 1 argument"),
        ("last('a')", 1, "`last` takes 2 arguments"),
        ("last('a', ['b'])", 11, "argument 2 of `last` must be a string, this is a list of string"),
        ("flor('roof')", 1, "unknown function `flor`"),
    ] {
        let error = Expression::compile(&environment(), source).expect_err(source);
        assert_eq!(error.message(), message, "{source}");
        assert_eq!(error.column(), column, "{source}");
    }
}
