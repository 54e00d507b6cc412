//! Every known kind of invalid rule, by its error, and rules that attack by size. Walked by the
//! tests, and timed by the benchmark.

/// One kind, with at least one rule of it.
pub(crate) struct InvalidRules {
    pub(crate) kind: &'static str,
    pub(crate) inputs: Vec<String>,
}

/// Small invalid rules.
const SHORT: &[(&str, &[&str])] = &[
    ("nothing", &["", " ", "\n\t"]),
    ("a lone binary operator", &["&&", "||", "==", "+", "in", "<="]),
    ("a lone unary operator", &["!", "-"]),
    ("a lone conditional", &["?", "?:", ":"]),
    ("a lone dot or comma", &[".", ","]),
    ("an opening bracket", &["(", "[", "{"]),
    ("a closing bracket", &[")", "]", "}", "true)"]),
    ("empty parentheses", &["()"]),
    ("an operator without a right side", &["1 +", "true &&", "!", "a ==", "1 in"]),
    ("an operator without a left side", &["&& true", "+ 1", "== 1", "* 2"]),
    ("two operators", &["true && && true", "1 + * 2", "a === b"]),
    ("two expressions", &["a b", "true true", "true;", "true, false", "'a' 'b'"]),
    ("an unfinished conditional", &["true ? false", "true ? : false", "true : false", "true ? false :"]),
    ("an unfinished field", &["a.", "a..b", ".", "a.1"]),
    ("an unfinished index", &["a[", "a[]", "a[1", "[1, 2][0"]),
    ("an unfinished list", &["[1, 2", "[1 2]", "[,]", "[1,,2]"]),
    ("an unfinished map", &["{'a' 1}", "{'a': 1", "{'a':}", "{:1}", "{1}"]),
    ("an unfinished call", &["f(", "f(,)", "f(1,)", "f(1 2)"]),
    ("an unterminated string", &["'abc", "\"abc", "'", "'a\\'"]),
    ("an unterminated long string", &["'''abc", "\"\"\"abc\"", "'''a''"]),
    ("an unterminated raw string or bytes", &["r'abc", "b'abc", "b\"abc"]),
    ("a line break in a string", &["'a\nb'", "'a\rb'"]),
    ("an unknown escape", &["'\\q'", "'\\'", "'\\8'"]),
    ("a short escape", &["'\\u12'", "'\\x1'", "'\\U0000'", "'\\07'"]),
    ("an escape that is no character", &["'\\ud800' == 'a'", "'\\U00110000' == 'a'", "'\\uDFFF' == 'a'"]),
    (
        "an integer out of range",
        &["99999999999999999999 > 0", "-9223372036854775809 < 0", "0x10000000000000000 > 0"],
    ),
    ("an unsigned integer out of range", &["18446744073709551616u > 0u", "-1u < 0u"]),
    ("a number with letters", &["1u2", "0x", "1e", "12abc", "0xg"]),
    ("a double out of range", &["99999999999999999999999999999999999999.0e99999 > 0.0 + 1"]),
    ("a comment", &["// true", "# true"]),
    ("a character of another language", &["#", "$a", "@in", "true & true", "a = 1", "a -> b", "~1", "a ^ b"]),
    ("a back quote", &["`a`", "a.`b`"]),
    ("a control character", &["\0", "true\0", "\u{1b}[31m", "a\u{7f}b", "'\0"]),
    ("a byte order mark", &["\u{feff}true"]),
    ("typographic quotes", &["\u{201c}true\u{201d}", "identity.username == \u{2018}a\u{2019}", "'a\u{2019}"]),
    ("letters beyond ASCII", &["\u{3bb}", "identity.us\u{e9}rname == 'a'", "\u{202e}eurt"]),
    ("what bad UTF-8 became", &["\u{fffd}", "identity.username == '\u{fffd}", "\u{fffd}\u{fffd}true"]),
    ("a reserved word", &["if", "for", "return", "while true", "let a = 1"]),
    ("a message", &["a{", "a{b: 1}", "google.protobuf.Duration{seconds: 1}"]),
    ("optional syntax", &["a.?b", "[1][?0] == 1", "[?a]", "{?'a': 1}.a == 1"]),
    ("an internal name", &["_&&_", "__proto__", "@not_strictly_false(true)"]),
    (
        "a macro without what it needs",
        &["has()", "has(1)", "[].all()", "[].all(x)", "[1].map()", "[].all(x, y, z, w)"],
    ),
    (
        "a macro over the wrong thing",
        &["a.exists(1, true)", "[1].map(1, 2) == []", "all(x, x)", "1.all(x, true)"],
    ),
    ("a function without arguments", &["size", "size()", "matches('a')", "string()"]),
    ("a name nobody knows", &["x", "x.y.z", "f()", "request.nothing"]),
    ("a rule that is no bool", &["null", "1", "'true'", "[]", "{}", "1.0", "b''"]),
    ("types that do not fit", &["1 + 'a' == 2", "1 && true", "'a' < 1", "-'a' == 'b'", "[1] == 1"]),
    (
        "a pattern that is none",
        &["''.matches('(')", "''.matches('[')", "''.matches('*')", "''.matches('a{2,1}')"],
    ),
    ("a pattern beyond RE2", &["''.matches('(?=a)')", "''.matches('(a)\\\\1')", "''.matches('(?<!a)b')"]),
];

/// The whole table.
pub(crate) fn invalid_rules() -> Vec<InvalidRules> {
    let short = SHORT.iter().map(|(kind, inputs)| InvalidRules {
        kind,
        inputs: inputs.iter().copied().map(str::to_owned).collect(),
    });
    let large = large().into_iter().map(|(kind, inputs)| InvalidRules { kind, inputs });
    short.chain(large).collect()
}

fn matching(pattern: &str) -> String {
    format!("identity.username.matches('{pattern}')")
}

/// Rules that attack by size, by depth, or by the size of their result.
fn large() -> Vec<(&'static str, Vec<String>)> {
    let repeat = |unit: &str, times: usize| unit.repeat(times);
    let chain = |first: &str, unit: &str, times: usize| first.to_owned() + &unit.repeat(times);
    let nested = |open: &str, inner: &str, close: &str, times: usize| {
        open.repeat(times) + inner + &close.repeat(times)
    };
    vec![
        ("2000 opening brackets", ["(", "[", "{", "f(", "a["].map(|open| repeat(open, 2000)).to_vec()),
        ("2000 parentheses", vec![nested("(", "true", ")", 2000), nested("(", "", ")", 2000)]),
        ("a deep list", vec![nested("[", "1", "]", 2000), nested("[", "1", "]", 40) + " == []"]),
        ("a deep map", vec![nested("{1: ", "1", "}", 2000), nested("{1: ", "1", "}", 40) + " == {}"]),
        ("a deep call", vec![nested("size(", "1", ")", 2000), nested("string(", "1", ")", 40) + " == ''"]),
        ("many unary operators", vec![repeat("!", 7000) + "1", repeat("-", 7000) + "true"]),
        ("many conditionals", vec![repeat("true?", 1000), repeat("true ? true : ", 500) + "1"]),
        ("16000 links of fields", vec![chain("a", ".a", 3500), chain("a", ".a", 16_000)]),
        (
            "16000 links of operators",
            vec![chain("1", "+1", 16_000) + " == 1", chain("true", " && true", 16_000)],
        ),
        (
            "500 links",
            vec![chain("1", "+1", 500) + " == 1", chain("1", " < 1", 300), chain("a", ".f()", 300)],
        ),
        ("16000 links of indices", vec![chain("a", "[0]", 16_000), chain("a", "[0]", 300)]),
        ("a list of thousands", vec![chain("[", "1,", 4000), chain("f(", "1,", 4000)]),
        ("a string of 100 KB", vec![chain("'", "a", 100_000), chain("'", "a", 100_000) + "' == 'a'"]),
        (
            "a huge number",
            vec![repeat("9", 8000) + " > 0", chain("0x", "f", 8000) + " > 0", chain("1.", "9", 8000)],
        ),
        ("a huge name", vec![repeat("x", 8192), repeat("\u{e9}", 4000), repeat("x", 4000) + "()"]),
        ("thousands of lines", vec![repeat("\n", 8000) + "(", repeat("\r\n", 4000) + "x"]),
        ("many errors", vec![repeat("'\\q' ", 1300), repeat(") ", 1000), repeat("$", 1000)]),
        (
            "loops in loops",
            vec![nested("[1].all(x, ", "true", ")", 40), nested("[1].all(x, ", "true", ")", 12)],
        ),
        ("a macro of 125 bytes that grows without end", grow()),
        ("a pattern of 62 bytes that grows without end", bombs()),
        (
            "a large pattern",
            [repeat("(", 1020), repeat("a?", 4000), repeat("[a-z]{999}", 100), nested("(", "a", ")", 500)]
                .map(|pattern| matching(&pattern))
                .to_vec(),
        ),
    ]
}

/// Each is short, and would build or iterate more than any machine can.
fn grow() -> Vec<String> {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let product = |depth: usize| {
        let loops = names.iter().take(depth);
        let inner = loops.fold("true".to_owned(), |inner, name| format!("r.all({name}, {inner})"));
        format!("cel.bind(r, lists.range(50), {})", inner.replace("r.", "lists.range(50)."))
    };
    let doubled = |times: usize| "[[0]]".to_owned() + &".map(x, x + x)".repeat(times) + ".size() < 0";
    vec![
        "[1,1].map(a,[1,1].map(b,[1,1].map(c,[1,1].map(d,[1,1].map(e,[1,1].map(f,[1,1].map(g,1)))))))"
            .to_owned(),
        product(5),
        product(7),
        doubled(14),
        "['aaaaaaaa']".to_owned() + &".map(x, x + x)".repeat(20) + ".exists(x, x == 'b')",
        "lists.range(9223372036854775807).exists(x, x < 0)".to_owned(),
        "lists.range(100000).map(x, [x]).sort() == []".to_owned(),
        "lists.range(500).map(x, lists.range(500)).flatten(9).distinct() == []".to_owned(),
        "cel.bind(m, lists.range(250).transformMap(i, x, x), '%s%s'.format([m, m])) == ''".to_owned(),
        "cel.bind(f, '%d'.replace('d', '%%') + ".to_owned()
            + &"'%%' + ".repeat(50)
            + "'', lists.range(9999).exists(x, f.format([]) == 'x'))",
        "lists.range(256).sortBy(x, -x).sortBy(x, -x).sortBy(x, -x).sortBy(x, -x).sortBy(x, -x) == []"
            .to_owned(),
        format!("'{}'.format([{}1.0]) == ''", "%.100f".repeat(11), "1e308, ".repeat(10)),
    ]
}

/// Nested counted repetitions, and classes of many characters.
fn bombs() -> Vec<String> {
    let nested = "(".repeat(6) + "a{100}" + &"){100}".repeat(6);
    [
        &nested,
        "((((a{30}){30}){30}){30}){30}",
        "(x+x+)+{1000}{1000}",
        "(\\\\pL{50}){50}",
        "\\\\w{1000}",
        "(.{1,1000}){1,1000}",
        "(?i)[\\\\w\\\\W]{0,999}[^a]{0,999}",
        "(?i)[\\\\w\\\\W][\\\\w\\\\W][\\\\w\\\\W][\\\\w\\\\W][\\\\w\\\\W][\\\\w\\\\W][\\\\w\\\\W]",
        "(?i)[\\\\PA\\\\PL[^a]][\\\\PL[^a[^b]]]{9}",
        "(a|b|c|d|e|f|g|h|i|j){0,1000}{0,9}",
        "\\\\pN{100}\\\\pL{100}\\\\pS{100}",
        "((?:\\\\pL|\\\\d){9}){99}",
    ]
    .iter()
    .map(|pattern| matching(pattern))
    .collect()
}
