//! TensorBoard's messages: `Event` of `event.proto`, `Summary` of `summary.proto`, and what the plugin HParams has in
//! `plugin_data.proto`, by their fields' numbers.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::histogram::Histogram;
use crate::picture::Picture;
use crate::protobuf::{Message, Value, fields};

/// What the first record of a file says.
const FILE_VERSION: &str = "brain.Event:2";

// Event
const WALL_TIME: u64 = 1;
const STEP: u64 = 2;
const VERSION: u64 = 3;
const SUMMARY: u64 = 5;
const SESSION_LOG: u64 = 7;
// Summary, Summary.Value
const VALUE: u64 = 1;
const TAG: u64 = 1;
const SIMPLE_VALUE: u64 = 2;
const IMAGE: u64 = 4;
const HISTOGRAM: u64 = 5;
const TENSOR: u64 = 8;
const METADATA: u64 = 9;
// SessionLog
const STATUS: u64 = 1;
const START: u64 = 1;
// TensorProto: its types and values
const TYPE: u64 = 1;
const SHAPE: u64 = 2;
const FLOAT: u64 = 1;
const STRING: u64 = 7;
const FLOATS: u64 = 5;
const STRINGS: u64 = 8;

/// The first event of a file.
pub(crate) fn version(time: f64) -> Vec<u8> {
    event(time, 0).bytes(VERSION, FILE_VERSION).into_bytes()
}

/// Says that what earlier files have from `step` on is no longer so.
pub(crate) fn session_start(time: f64, step: u64) -> Vec<u8> {
    event(time, step).message(SESSION_LOG, &Message::new().int(STATUS, START)).into_bytes()
}

/// A number. TensorBoard keeps 32 bits of it.
pub(crate) fn scalar(time: f64, step: u64, tag: &str, value: f64) -> Vec<u8> {
    summary(time, step, &tagged(tag).float(SIMPLE_VALUE, value as f32))
}

/// A distribution.
pub(crate) fn histogram(time: f64, step: u64, tag: &str, values: &Histogram) -> Vec<u8> {
    let message = Message::new()
        .double(1, values.least)
        .double(2, values.greatest)
        .double(3, values.count)
        .double(4, values.sum)
        .double(5, values.sum_of_squares)
        .doubles(6, &values.limits)
        .doubles(7, &values.counts);
    summary(time, step, &tagged(tag).message(HISTOGRAM, &message))
}

/// A picture; `png` is its encoding.
pub(crate) fn picture(time: f64, step: u64, tag: &str, picture: &Picture, png: &[u8]) -> Vec<u8> {
    let message = Message::new()
        .int(1, picture.height as u64)
        .int(2, picture.width as u64)
        .int(3, picture.channels as u64)
        .bytes(4, png);
    summary(time, step, &tagged(tag).message(IMAGE, &message))
}

/// Text in Markdown.
pub(crate) fn text(time: f64, step: u64, tag: &str, text: &str) -> Vec<u8> {
    let shape = Message::new().message(2, &Message::new().int(1, 1));
    let tensor = Message::new().int(TYPE, STRING).message(SHAPE, &shape).bytes(STRINGS, text);
    let value = tagged(tag).message(TENSOR, &tensor).message(METADATA, &metadata("text", &[]));
    summary(time, step, &value)
}

/// The settings of the run, for the plugin HParams, with its start. `time`: in seconds since 1970, as everywhere here.
pub(crate) fn settings(time: f64, step: u64, settings: &BTreeMap<String, Json>) -> Vec<u8> {
    let entries = settings.iter().filter_map(|(name, value)| {
        // google.protobuf.Value
        let value = match value {
            Json::Number(number) => Message::new().double(2, number.as_f64()?),
            Json::String(text) => Message::new().bytes(3, text),
            Json::Bool(is_set) => Message::new().int(4, u64::from(*is_set)),
            _ => return None,
        };
        Some(Message::new().bytes(1, name).message(2, &value))
    });
    // SessionStartInfo
    let info = entries.fold(Message::new(), |info, entry| info.message(1, &entry)).double(5, time);
    hparams(time, step, "_hparams_/session_start_info", &Message::new().message(3, &info))
}

/// Tells the plugin HParams that the run has ended well.
pub(crate) fn ended(time: f64, step: u64) -> Vec<u8> {
    const SUCCESS: u64 = 1;
    // SessionEndInfo
    let info = Message::new().int(1, SUCCESS).double(2, time);
    hparams(time, step, "_hparams_/session_end_info", &Message::new().message(4, &info))
}

fn hparams(time: f64, step: u64, tag: &str, content: &Message) -> Vec<u8> {
    // A value without any would be passed over: one zero.
    let shape = Message::new().message(2, &Message::new().int(1, 1));
    let tensor =
        Message::new().int(TYPE, FLOAT).message(SHAPE, &shape).bytes(FLOATS, 0_f32.to_le_bytes());
    let content = content.clone().into_bytes();
    let value =
        tagged(tag).message(TENSOR, &tensor).message(METADATA, &metadata("hparams", &content));
    summary(time, step, &value)
}

fn event(time: f64, step: u64) -> Message {
    Message::new().double(WALL_TIME, time).int(STEP, step)
}

fn summary(time: f64, step: u64, value: &Message) -> Vec<u8> {
    event(time, step).message(SUMMARY, &Message::new().message(VALUE, value)).into_bytes()
}

fn tagged(tag: &str) -> Message {
    Message::new().bytes(TAG, tag)
}

fn metadata(plugin: &str, content: &[u8]) -> Message {
    Message::new().message(1, &Message::new().bytes(1, plugin).bytes(2, content))
}

/// What an event of ours says, as far as it matters to a log that goes on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    /// From this step on everything before it is dropped.
    Start { step: u64 },
    /// A scalar.
    Scalar { step: u64, tag: String, value: f32 },
    /// Something else.
    Other,
}

/// Reads an event.
pub(crate) fn read(event: &[u8]) -> Read {
    let (mut step, mut read) = (0, Read::Other);
    for field in fields(event) {
        match field {
            (STEP, Value::Int(value)) => step = value,
            (SESSION_LOG, Value::Bytes(log))
                if fields(log).any(|it| it == (STATUS, Value::Int(START))) =>
            {
                read = Read::Start { step };
            }
            (SUMMARY, Value::Bytes(summary)) => {
                read = fields(summary).find_map(|field| scalar_in(field, step)).unwrap_or(read);
            }
            _ => {}
        }
    }
    read
}

fn scalar_in(field: (u64, Value<'_>), step: u64) -> Option<Read> {
    let (VALUE, Value::Bytes(message)) = field else { return None };
    let tag = fields(message).find_map(|field| match field {
        (TAG, Value::Bytes(tag)) => Some(String::from_utf8_lossy(tag).into_owned()),
        _ => None,
    })?;
    fields(message).find_map(|field| match field {
        (SIMPLE_VALUE, Value::Float(value)) => Some(Read::Scalar { step, tag: tag.clone(), value }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_to_a_log_that_goes_on_is_read_back() {
        assert_eq!(read(&version(1.0)), Read::Other);
        assert_eq!(read(&session_start(1.0, 7)), Read::Start { step: 7 });
        let expected = Read::Scalar { step: 3, tag: "epoch/x".into(), value: 0.1 };
        assert_eq!(read(&scalar(1.0, 3, "epoch/x", 0.1)), expected);
        let Read::Scalar { value, .. } = read(&scalar(1.0, 3, "x", f64::NAN)) else { panic!() };
        assert!(value.is_nan());
        assert_eq!(read(&text(1.0, 3, "x", "words")), Read::Other);
        assert_eq!(read(b"\xff\xff"), Read::Other);
    }
}
