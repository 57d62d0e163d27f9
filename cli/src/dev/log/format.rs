//! A log line for people: the time, the level, the message, and the fields that matter.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::terminal::{Palette, Style};

/// Fields for machines: they are in the JSON lines only.
const HIDDEN: [&str; 4] = ["caller", "cache", "source", "spans"];

/// Formats events as short lines.
#[derive(Clone, Copy, Debug)]
pub struct Short(pub Palette);

/// The fields of an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl<S, N> FormatEvent<S, N> for Short
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = event.metadata().level().as_str();
        let time = shared::clock::Clock::wall();
        writeln!(writer, "{}", short(self.0, Some(time), level, &fields.0))
    }
}

/// Formats a JSON line of the log. A line that is not JSON stays as it is.
pub fn short_line(palette: Palette, line: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(line) else {
        return printable(line);
    };
    let time = fields.remove("timestamp");
    let time = time.as_ref().and_then(Value::as_str).and_then(|time| time.parse().ok());
    let level = fields.remove("level");
    short(palette, time, level.as_ref().and_then(Value::as_str).unwrap_or_default(), &fields)
}

fn short(
    palette: Palette,
    time: Option<Timestamp>,
    level: &str,
    fields: &Map<String, Value>,
) -> String {
    let time = time.map(|time| time.strftime("%H:%M:%SZ").to_string()).unwrap_or_default();
    let style = match level {
        "ERROR" => Style::Red,
        "WARN" => Style::Yellow,
        "INFO" => Style::Green,
        _ => Style::Cyan,
    };
    let mut line = format!(
        "{} {} {}",
        palette.paint(Style::Dim, time),
        palette.paint(style, format_args!("{level:<5}")),
        message(fields)
    );
    for (name, value) in fields {
        let value = text(value);
        if !is_in_message(name, fields) && !HIDDEN.contains(&name.as_str()) && !value.is_empty() {
            let name = palette.paint(Style::Dim, format_args!("{name}="));
            line += &format!("  {name}{value}");
        }
    }
    line
}

/// The message. A request has none: its route and its status are the message.
fn message(fields: &Map<String, Value>) -> String {
    match (fields.get("message"), fields.get("route"), fields.get("status")) {
        (Some(message), ..) => text(message),
        (None, Some(route), Some(status)) => format!("{} {}", text(route), text(status)),
        _ => "request".to_owned(),
    }
}

fn is_in_message(name: &str, fields: &Map<String, Value>) -> bool {
    let is_of_request = !fields.contains_key("message") && fields.contains_key("route");
    name == "message" || is_of_request && ["route", "status"].contains(&name)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        Value::Number(number) if number.is_f64() => {
            format!("{:.1}", number.as_f64().unwrap_or_default())
        }
        other => other.to_string(),
    }
}

/// Replaces control characters, so that text from outside cannot control the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"timestamp":"2026-06-10T10:20:30.5Z","level":"ERROR",
        "request_id":"req_1","route":"mood","status":503,"ms":12.34,"caller":"user","cache":"used",
        "source":"","code":"redis_unavailable","cause":"a\u001b[31m\nb"}"#;

    #[test]
    fn a_line_has_the_fields_that_matter() {
        assert_eq!(
            short_line(Palette::PLAIN, REQUEST),
            "10:20:30Z ERROR mood 503  cause=a [31m b  code=redis_unavailable  ms=12.3  \
             request_id=req_1"
        );
        let line = r#"{"timestamp":"2026-06-10T10:20:30Z","level":"WARN","message":"late","n":2}"#;
        assert_eq!(short_line(Palette::PLAIN, line), "10:20:30Z WARN  late  n=2");
        assert!(short_line(Palette::COLOURED, line).contains("\x1b[33mWARN \x1b[0m late"));
        assert_eq!(short_line(Palette::PLAIN, "no\tJSON"), "no JSON");
    }

    /// An event looks the same on the terminal and in `farebox logs`.
    #[test]
    fn an_event_is_formatted_as_its_json_line() {
        use std::sync::{Arc, Mutex};
        use tracing_subscriber::fmt::layer;
        use tracing_subscriber::layer::SubscriberExt as _;

        #[derive(Clone, Default)]
        struct Sink(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (short, json) = (Sink::default(), Sink::default());
        let (to_short, to_json) = (short.clone(), json.clone());
        let logs = tracing_subscriber::registry()
            .with(layer().event_format(Short(Palette::PLAIN)).with_writer(move || to_short.clone()))
            .with(
                layer()
                    .json()
                    .flatten_event(true)
                    .with_target(false)
                    .with_writer(move || to_json.clone()),
            );
        tracing::subscriber::with_default(logs, || {
            tracing::warn!(job = "minute", ms = 1.5_f64, count = 3_u64, "a job failed");
        });
        let text = |sink: Sink| String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let (short, json) = (text(short), text(json));
        assert!(short.ends_with(" WARN  a job failed  count=3  job=minute  ms=1.5\n"), "{short}");
        assert_eq!(short_line(Palette::PLAIN, &json)[9..], short.trim_end()[9..]);
    }
}
