//! Event streams (BY-E-01…08): the identity law, cut-independence, and the standard's reading.

use proptest::prelude::*;
use wardpoint_core::sse::{Event, EventFilter, Output, Rewrite, Rewriter};

/// Does with each event what its data asks for; remembers what it saw.
#[derive(Default)]
struct Obey {
    seen: Vec<(Option<String>, Vec<u8>)>,
}

impl EventFilter for Obey {
    fn on_event(&mut self, event: Event<'_>) -> Rewrite {
        let Some(data) = event.data else { return Rewrite::Keep };
        self.seen.push((event.name.map(|name| String::from_utf8_lossy(name).into_owned()), data.to_vec()));
        match &*data {
            b"drop" => Rewrite::Drop,
            b"cut" => Rewrite::Cut(b"data: cut\n\n".to_vec()),
            data if data.starts_with(b"other") => Rewrite::Data([b"new ", data].concat()),
            _ => Rewrite::Keep,
        }
    }

    fn on_too_large(&mut self) -> Vec<u8> {
        b"data: too large\n\n".to_vec()
    }
}

struct Seen {
    out: Vec<u8>,
    events: Vec<(Option<String>, Vec<u8>)>,
}

fn run<'a>(chunks: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> Seen {
    let mut rewriter = Rewriter::new(limit, Obey::default());
    let mut out = Vec::new();
    for chunk in chunks {
        let output = rewriter.push(chunk);
        out.extend_from_slice(output.or(chunk));
    }
    out.extend(rewriter.finish());
    Seen { out, events: core::mem::take(&mut rewriter.filter().seen) }
}

/// The output of all two-cuts and of single bytes is that of the whole.
fn law(stream: &[u8], limit: usize) -> Seen {
    let whole = run([stream], limit);
    for cut in 0..=stream.len() {
        let (a, b) = stream.split_at(cut);
        let parts = run([a, b], limit);
        assert_eq!(
            (&parts.out, &parts.events),
            (&whole.out, &whole.events),
            "cut at {cut} of {:?}",
            stream.escape_ascii().to_string()
        );
    }
    let single = run(stream.chunks(1), limit);
    assert_eq!((&single.out, &single.events), (&whole.out, &whole.events));
    whole
}

#[test]
fn what_the_filter_says_is_done() {
    for (stream, expected) in [
        ("data: a\n\n", "data: a\n\n"),
        ("data: a\n\ndata: drop\n\ndata: b\n\n", "data: a\n\ndata: b\n\n"),
        ("data: drop\r\n\r\ndata: b\r\n\r\n", "data: b\r\n\r\n"),
        ("data: drop\r\rdata: b\r\r", "data: b\r\r"),
        ("data: drop\n\r\ndata: b\n\n", "data: b\n\n"),
        ("id: 1\nevent: x\n: c\ndata: other\nretry: 5\n\n", "id: 1\nevent: x\n: c\ndata: new other\nretry: 5\n\n"),
        ("data: other\r\ndata: b\r\n\r\n", "data: new other\r\ndata: b\r\n\r\n"),
        ("data:other\rid:3\rdata\r\r", "data: new other\rdata: \rid:3\r\r"),
        ("\u{feff}data: other\n\n", "\u{feff}data: new other\n\n"),
        ("data: a\n\ndata: cut\n\ndata: b\n\n", "data: a\n\ndata: cut\n\n"),
        ("data: a\r\n\r\ndata: cut\r\n\r\ndata: b", "data: a\r\n\r\ndata: cut\n\n"),
        // BY-E-05: the rest without a blank line is filtered as well.
        ("data: a\n\ndata: drop", "data: a\n\n"),
        ("data: a\n\ndata: drop\n", "data: a\n\n"),
        ("data: a\n\ndata: other", "data: a\n\ndata: new other\n"),
        ("data: a\n\ndata: cut\r", "data: a\n\ndata: cut\n\n"),
        ("data: a\n\ndata: keep", "data: a\n\ndata: keep"),
        // Comments, blank lines, unknown fields stay.
        (":\n\n\n\r\n: keep-alive\n\nx: y\n\n", ":\n\n\n\r\n: keep-alive\n\nx: y\n\n"),
    ] {
        let out = law(stream.as_bytes(), 1000).out;
        assert_eq!(String::from_utf8_lossy(&out), expected, "{stream:?}");
    }
}

/// BY-E-02, BY-E-03, BY-E-04, BY-E-06, BY-E-07
#[test]
fn fields_are_read_as_the_standard_says() {
    for (stream, name, data) in [
        ("data: a\n\n", None, Some("a")),
        ("data:a\n\n", None, Some("a")),
        ("data:  a \n\n", None, Some(" a ")),
        ("data\n\n", None, Some("")),
        ("data:\n\n", None, Some("")),
        ("data\ndata\n\n", None, Some("\n")),
        ("data: a\ndata: b\r\ndata:c\rx:1\ndata\n\n", None, Some("a\nb\nc\n")),
        ("event: e\ndata: a\n\n", Some("e"), Some("a")),
        ("event: e\nevent: f\ndata: a\n\n", Some("f"), Some("a")),
        ("data: a:b: c\n\n", None, Some("a:b: c")),
        (" data: a\n\n", None, None),
        ("Data: a\n\n", None, None),
        ("dat: a\n\n", None, None),
        ("data : a\n\n", None, None),
        (":data: a\n\n", None, None),
        ("\u{feff}data: a\n\n", None, Some("a")),
        ("\u{feff}\u{feff}data: a\n\n", None, None),
        ("x: 1\n\u{feff}data: a\n\n", None, None),
    ] {
        let event = Event::new(stream.as_bytes(), true);
        assert_eq!(event.data.as_deref(), data.map(str::as_bytes), "{stream:?}");
        assert_eq!(event.name, name.map(str::as_bytes), "{stream:?}");
    }
    assert_eq!(Event::new(b"id: 1\nid: 2\0\n\n", true).id, Some(&b"1"[..]));
}

/// When the first event is dropped, a mark at the start of the second comes first, and clients skip it (BY-E-02).
#[test]
fn a_second_byte_order_mark_hides_nothing() {
    let seen = law("data: drop\n\n\u{feff}data: drop\n\n".as_bytes(), 1000);
    assert_eq!((seen.out.len(), seen.events.len()), (0, 2));
    let kept = "data: a\n\n\u{feff}data: drop\n\n";
    assert_eq!(law(kept.as_bytes(), 1000).out, kept.as_bytes());
    assert!(Event::new("\u{feff}data: a\n\n".as_bytes(), false).ambiguous);
    assert!(Event::new("\u{feff}data: a\ndata: b\n\n".as_bytes(), true).ambiguous);
    assert!(!Event::new("\u{feff}data: a\n\n".as_bytes(), true).ambiguous);
}

#[test]
fn lines_that_only_some_clients_see_are_told() {
    for end in ["\u{b}", "\u{c}", "\u{1c}", "\u{1d}", "\u{1e}", "\u{85}", "\u{2028}", "\u{2029}"] {
        assert!(Event::new(format!(": c{end}data: x\n\n").as_bytes(), true).ambiguous, "{end:?}");
        assert!(Event::new(format!(": c{end}\u{feff}data: x\n\n").as_bytes(), true).ambiguous, "{end:?}");
        assert!(!Event::new(format!("data: \"{end}x\"\n\n").as_bytes(), true).ambiguous, "{end:?}");
    }
    assert!(!Event::new(b"data: data: data\n\n", true).ambiguous);
}

#[test]
fn nothing_is_copied_while_nothing_changes() {
    let mut rewriter = Rewriter::new(100, Obey::default());
    assert_eq!(rewriter.push(b"data: a\n\n:c\r\n\r"), Output::Unchanged);
    assert_eq!(rewriter.push(b"\n"), Output::Unchanged);
    assert_eq!(rewriter.push(b""), Output::Unchanged);
    let Output::Bytes(bytes) = rewriter.push(b"data: b\n\nda") else { panic!("held") };
    assert!(matches!(bytes, std::borrow::Cow::Borrowed(b"data: b\n\n")));
    assert_eq!(rewriter.push(b"ta: c\n\n").or(b""), b"data: c\n\n");
    assert_eq!(rewriter.push(b"data: cut\n\n").or(b"x"), b"data: cut\n\n");
    assert!(rewriter.is_cut());
    assert_eq!(rewriter.push(b"data: d\n\n").or(b"x"), b"");
    assert_eq!(rewriter.finish(), b"");
}

/// BY-E-08
#[test]
fn an_event_that_is_too_long_ends_the_stream() {
    assert_eq!(law(b"data: 1\n\ndata: 2\n\n", 9).out, b"data: 1\n\ndata: 2\n\n");
    assert_eq!(law(b"data: 1\n\ndata: 22\n\ndata: 3\n\n", 9).out, b"data: 1\n\ndata: too large\n\n");
    assert_eq!(law(b"data: 1\r\n\r\ndata: 2222222222", 11).out, b"data: 1\r\n\r\ndata: too large\n\n");
}

#[test]
fn data_with_line_ends_is_written_as_several_fields() {
    for (data, expected) in [("", "data: \n\n"), ("a\nb", "data: a\ndata: b\n\n"), ("a\r\nb\r", "data: a\ndata: b\ndata: \n\n")] {
        let out = Event::new(b"data: x\n\n", true).with_data(data.as_bytes());
        assert_eq!(String::from_utf8_lossy(&out), expected);
        let lines = data.replace("\r\n", "\n").replace('\r', "\n");
        assert_eq!(Event::new(&out, true).data.as_deref(), Some(lines.as_bytes()));
    }
    assert_eq!(Event::new(b": c\n\n", true).with_data(b"x"), b"data: x\n: c\n\n");
}

/// The standard, word for word, over a whole stream: the events that it dispatches.
fn standard(stream: &str) -> Vec<(Option<String>, String)> {
    let text = stream.strip_prefix('\u{feff}').unwrap_or(stream).replace("\r\n", "\n").replace('\r', "\n");
    let (mut out, mut data, mut name) = (Vec::new(), String::new(), String::new());
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines.pop();
    for line in lines {
        if line.is_empty() {
            if !data.is_empty() {
                out.push((
                    Some(core::mem::take(&mut name)).filter(|name| !name.is_empty()),
                    data.strip_suffix('\n').unwrap_or(&data).to_owned(),
                ));
            }
            (data, name) = (String::new(), String::new());
        } else if !line.starts_with(':') {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => data = data + value + "\n",
                "event" => name = value.to_owned(),
                _ => {}
            }
        }
    }
    out
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "data: a",
        "data:b",
        "data: ",
        "data",
        "data: drop",
        "data: other",
        "data: cut",
        "event: e",
        "event",
        "id: 1",
        ": c",
        ":",
        "x: y",
        "ü",
        "\n",
        "\n",
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "\r\n\r\n",
        "\r\r",
        "\u{feff}",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn the_output_does_not_depend_on_cuts(stream in pieces(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6), limit in 4usize..200) {
        let whole = run([stream.as_bytes()], limit);
        let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let parts = run(at.windows(2).map(|pair| &stream.as_bytes()[pair[0]..pair[1]]), limit);
        prop_assert_eq!(parts.out, whole.out);
        prop_assert_eq!(parts.events, whole.events);
    }

    #[test]
    fn keeping_everything_is_the_identity(stream in prop::collection::vec(any::<u8>(), 0..200), text in pieces()) {
        for stream in [&stream[..], text.replace("drop", "x").replace("other", "y").replace("cut", "z").as_bytes()] {
            for size in [1, 2, 3, 7, 1000] {
                prop_assert_eq!(&run(stream.chunks(size), 1000).out, stream);
            }
        }
    }

    /// Every event that the standard dispatches was seen, in order and with its data.
    #[test]
    fn nothing_that_a_client_reads_is_missed(stream in pieces()) {
        let stream = stream.replace("cut", "c").replace("drop", "d");
        let mut seen = run([stream.as_bytes()], 1000).events.into_iter();
        for (name, data) in standard(&stream) {
            let found = seen.any(|event| {
                event.0.filter(|name| !name.is_empty()) == name && String::from_utf8_lossy(&event.1) == data
            });
            prop_assert!(found, "{:?} is missing", data);
        }
    }

    /// What goes on, a client reads as the filter decided: no dropped data comes through.
    #[test]
    fn nothing_that_was_dropped_comes_through(stream in pieces()) {
        let out = String::from_utf8_lossy(&run([stream.as_bytes()], 1000).out).into_owned();
        for (_, data) in standard(&out) {
            prop_assert!(data != "drop" && !data.starts_with("other"), "{:?} came through", data);
        }
    }
}

/// Recorded streams of providers (`WARDPOINT_CORPORA`).
#[test]
#[expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a test of files that others keep")]
fn recorded_streams_pass_whole() {
    let Ok(corpora) = std::env::var("WARDPOINT_CORPORA") else { return eprintln!("skipped: WARDPOINT_CORPORA is unset") };
    let mut count = 0;
    for entry in std::fs::read_dir(format!("{corpora}/sse")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "sse") {
            continue;
        }
        let stream = std::fs::read(&path).unwrap();
        let seen = run([&stream[..]], 1 << 20);
        assert_eq!(seen.out, stream, "{path:?}");
        for size in [1, 2, 3, 5, 64, 1000, 4096] {
            let parts = run(stream.chunks(size), 1 << 20);
            assert!(parts.out == stream && parts.events == seen.events, "{path:?} in chunks of {size}");
        }
        let dispatched = standard(&String::from_utf8_lossy(&stream)).len();
        assert!(dispatched > 0 && dispatched <= seen.events.len(), "{path:?}");
        count += 1;
    }
    assert!(count > 20, "{count} streams");
}
