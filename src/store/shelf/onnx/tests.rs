use super::*;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn field(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn entry(key: &str, value: &str) -> Vec<u8> {
    field(13, &[field(1, key.as_bytes()), field(2, value.as_bytes())].concat())
}

/// A tensor whose data is in the file `location`.
fn external(location: &str) -> Vec<u8> {
    let name = field(8, b"weights");
    [name, entry("location", location), entry("offset", "0"), number(14, 1)].concat()
}

/// A model with a graph whose weights are in the file `location`.
pub fn model_reading(location: &str) -> Vec<u8> {
    model(&field(5, &external(location)))
}

/// A model that keeps everything in itself.
pub fn whole_model() -> Vec<u8> {
    model(&field(5, &[field(8, b"weights"), field(9, &[1, 2, 3, 4])].concat()))
}

fn model(graph: &[u8]) -> Vec<u8> {
    let graph = [field(2, b"graph"), graph.to_vec()].concat();
    [number(1, 8), field(2, b"test"), field(7, &graph), field(8, &number(2, 15))].concat()
}

fn attribute_with(inner: &[u8]) -> Vec<u8> {
    model(&field(1, &field(5, inner)))
}

/// Each place where a tensor can stand.
fn models_reading(location: &str) -> Vec<(&'static str, Vec<u8>)> {
    let tensor = external(location);
    let initializer = field(5, &tensor);
    let sparse = field(1, &tensor);
    let indices = field(2, &tensor);
    let graph = |content: &[u8]| model(content);
    let with = |extra: Vec<u8>| [model(b""), extra].concat();
    vec![
        ("initializer", graph(&initializer)),
        ("sparse initializer", graph(&field(15, &sparse))),
        ("indices of a sparse initializer", graph(&field(15, &indices))),
        ("tensor of an attribute", attribute_with(&field(5, &tensor))),
        ("tensors of an attribute", attribute_with(&field(10, &tensor))),
        ("sparse tensor of an attribute", attribute_with(&field(22, &sparse))),
        ("sparse tensors of an attribute", attribute_with(&field(23, &sparse))),
        ("graph of an attribute", attribute_with(&field(6, &initializer))),
        ("graphs of an attribute", attribute_with(&field(11, &initializer))),
        (
            "graph in a graph in a graph",
            attribute_with(&field(6, &field(1, &field(5, &field(6, &initializer))))),
        ),
        ("node of a function", with(field(25, &field(7, &field(5, &field(5, &tensor)))))),
        ("attribute of a function", with(field(25, &field(11, &field(5, &tensor))))),
        ("start of a training", with(field(20, &field(1, &initializer)))),
        ("step of a training", with(field(20, &field(2, &initializer)))),
        ("second graph", with(field(7, &initializer))),
    ]
}

#[test]
fn a_name_in_the_same_folder_is_found_wherever_it_stands() {
    assert_eq!(external_files(&whole_model()), Ok(vec![]));
    for (place, model) in models_reading("weights.bin") {
        assert_eq!(external_files(&model), Ok(vec!["weights.bin".to_owned()]), "{place}");
    }
}

#[test]
fn a_name_that_leads_outside_is_refused_wherever_it_stands() {
    for location in [
        "/etc/passwd",
        "../secret",
        "..",
        ".",
        "",
        "a/b",
        "./a",
        "a/../../b",
        "..\\secret",
        "C:secret",
        "a\0b",
        "a\nb",
    ] {
        for (place, model) in models_reading(location) {
            let found = external_files(&model);
            assert!(
                matches!(found, Err(OnnxError::Outside(_))),
                "{place}, {location:?}: {found:?}"
            );
        }
    }
    let latin = field(13, &[field(1, b"location"), field(2, b"\xff\xfe")].concat());
    let found = external_files(&model(&field(5, &latin)));
    assert!(matches!(found, Err(OnnxError::Outside(_))), "{found:?}");
}

#[test]
fn a_location_counts_also_without_the_mark_and_the_mark_needs_a_location() {
    let unmarked = model(&field(5, &entry("location", "../a")));
    assert!(matches!(external_files(&unmarked), Err(OnnxError::Outside(_))));
    let nowhere = model(&field(5, &[entry("offset", "0"), number(14, 1)].concat()));
    assert_eq!(external_files(&nowhere), Err(OnnxError::Nowhere));
}

#[test]
fn what_parsers_read_differently_is_refused() {
    let twice = |key: u64| {
        let location = [field(1, b"location"), field(2, b"a"), field(key, b"../b")].concat();
        model(&field(5, &field(13, &location)))
    };
    for (what, model) in [
        ("two values", twice(2)),
        ("two keys", twice(1)),
        ("a graph that is a number", [whole_model(), number(7, 1)].concat()),
        ("a group", [whole_model(), varint(7 << 3 | 3), varint(7 << 3 | 4)].concat()),
        ("a value that is a number", model(&field(5, &field(13, &number(2, 1))))),
        ("field 0", [whole_model(), vec![0, 1]].concat()),
        ("an endless number", [whole_model(), vec![0xff; 12]].concat()),
        ("a length over the end", [whole_model(), varint(9 << 3 | 2), vec![5, 1]].concat()),
    ] {
        let found = external_files(&model);
        assert!(matches!(found, Err(OnnxError::Damaged(_))), "{what}: {found:?}");
    }
}

#[test]
fn other_files_are_no_models() {
    for bytes in [&b""[..], &field(2, b"producer")] {
        assert_eq!(external_files(bytes), Err(OnnxError::NotOnnx));
    }
    assert!(external_files(b"<!DOCTYPE html><html>").is_err());
    assert!(external_files(b"{\"json\": 1}").is_err());
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize| {
        let mut graph = field(5, &external("w"));
        for _ in 0..levels {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        model(&graph)
    };
    assert!(external_files(&nested(10)).is_ok());
    assert_eq!(external_files(&nested(200)), Err(OnnxError::TooDeep));
}

#[test]
fn damage_anywhere_is_an_error_or_no_matter_but_never_a_panic() {
    let (_, model) = models_reading("weights.bin").remove(9);
    for at in 0..model.len() {
        let _ = external_files(&model[..at]);
        for bit in 0..8 {
            let mut damaged = model.clone();
            damaged[at] ^= 1 << bit;
            let _ = external_files(&damaged);
        }
    }
}
