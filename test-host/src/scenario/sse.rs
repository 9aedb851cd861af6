//! An event stream as a client reads it (WHATWG HTML section 9.2.6); the test host's own reader, independent of the core's.

/// One dispatched event; fields that did not come are `None`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Event {
    pub(super) event: Option<String>,
    pub(super) id: Option<String>,
    pub(super) retry: Option<String>,
    pub(super) data: Option<String>,
}

/// The events of a whole stream. Comments are left out; an unfinished last event is an event too, so that nothing hides in it.
pub(super) fn events(body: &[u8]) -> Vec<Event> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let mut event = Event::default();
    for line in text.split('\n') {
        if line.is_empty() {
            if event != Event::default() {
                events.push(std::mem::take(&mut event));
            }
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => event.event = Some(value.to_owned()),
            "id" => event.id = Some(value.to_owned()),
            "retry" => event.retry = Some(value.to_owned()),
            "data" => match &mut event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => event.data = Some(value.to_owned()),
            },
            _ => {}
        }
    }
    if event != Event::default() {
        events.push(event);
    }
    events
}
