//! Reads an ONNX file: protocol buffers by their wire format, and of ONNX what our files have. Anything else ends the
//! test.

use std::collections::BTreeMap;

use crate::interpreter::Array;

/// An ONNX file.
#[derive(Debug, Default)]
pub(crate) struct OnnxFile {
    pub(crate) ir_version: u64,
    pub(crate) opset: u64,
    pub(crate) nodes: Vec<Node>,
    pub(crate) tensors: BTreeMap<String, Array>,
    /// Name, type of its numbers, dimensions.
    pub(crate) input: (String, u64, Vec<String>),
    pub(crate) output: (String, u64, Vec<String>),
    pub(crate) metadata: Vec<(String, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) operator: String,
    pub(crate) inputs: Vec<String>,
    pub(crate) output: String,
    pub(crate) integers: BTreeMap<String, Vec<usize>>,
    pub(crate) floats: BTreeMap<String, f32>,
}

impl OnnxFile {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut file = Self::default();
        for (field, value) in fields(bytes) {
            match field {
                1 => file.ir_version = value.integer(),
                2 => assert_eq!(value.text(), "backburn"),
                3 => assert!(!value.text().is_empty()),
                7 => file.read_graph(value.bytes()),
                8 => {
                    let parts = fields(value.bytes());
                    let version = parts.into_iter().find(|(field, _)| *field == 2).unwrap();
                    file.opset = version.1.integer();
                }
                14 => {
                    let parts: Vec<String> =
                        fields(value.bytes()).into_iter().map(|it| it.1.text()).collect();
                    file.metadata.push((parts[0].clone(), parts[1].clone()));
                }
                other => panic!("field {other} of the model"),
            }
        }
        file
    }

    fn read_graph(&mut self, bytes: &[u8]) {
        for (field, value) in fields(bytes) {
            match field {
                1 => self.nodes.push(node(value.bytes())),
                2 => assert_eq!(value.text(), "backburn"),
                5 => {
                    let (name, array) = tensor(value.bytes());
                    assert!(self.tensors.insert(name.clone(), array).is_none(), "{name} twice");
                }
                11 => self.input = value_info(value.bytes()),
                12 => self.output = value_info(value.bytes()),
                other => panic!("field {other} of the graph"),
            }
        }
    }
}

fn node(bytes: &[u8]) -> Node {
    let mut node = Node::default();
    for (field, value) in fields(bytes) {
        match field {
            1 => node.inputs.push(value.text()),
            2 => node.output = value.text(),
            3 => node.name = value.text(),
            4 => node.operator = value.text(),
            5 => {
                let (mut name, mut integers, mut kind) = (String::new(), Vec::new(), 0);
                for (field, value) in fields(value.bytes()) {
                    match field {
                        1 => name = value.text(),
                        2 => drop(node.floats.insert(name.clone(), value.float())),
                        3 | 8 => integers.push(value.integer() as usize),
                        20 => kind = value.integer(),
                        other => panic!("field {other} of an attribute"),
                    }
                }
                // Float, integer, integers.
                assert!([1, 2, 7].contains(&kind), "{name}");
                node.integers.insert(name, integers);
            }
            other => panic!("field {other} of a node"),
        }
    }
    node
}

fn tensor(bytes: &[u8]) -> (String, Array) {
    let (mut name, mut shape, mut kind, mut raw) = (String::new(), Vec::new(), 0, Vec::new());
    for (field, value) in fields(bytes) {
        match field {
            1 => shape.push(value.integer() as usize),
            2 => kind = value.integer(),
            8 => name = value.text(),
            9 => raw = value.bytes().to_vec(),
            other => panic!("field {other} of a tensor"),
        }
    }
    let values: Vec<f64> = match kind {
        1 => raw.as_chunks().0.iter().map(|&it| f64::from(f32::from_le_bytes(it))).collect(),
        7 => raw.as_chunks().0.iter().map(|&it| i64::from_le_bytes(it) as f64).collect(),
        other => panic!("{name} of type {other}"),
    };
    assert_eq!(values.len(), shape.iter().product::<usize>(), "{name}");
    (name, Array { shape, values })
}

fn value_info(bytes: &[u8]) -> (String, u64, Vec<String>) {
    let (mut name, mut kind, mut sides) = (String::new(), 0, Vec::new());
    for (field, value) in fields(bytes) {
        match field {
            1 => name = value.text(),
            2 => {
                let inner = fields(value.bytes()).remove(0);
                for (field, value) in fields(inner.1.bytes()) {
                    match field {
                        1 => kind = value.integer(),
                        2 => {
                            for (_, side) in fields(value.bytes()) {
                                let (field, value) = fields(side.bytes()).remove(0);
                                let side = match field {
                                    1 => value.integer().to_string(),
                                    _ => value.text(),
                                };
                                sides.push(side);
                            }
                        }
                        other => panic!("field {other} of a type"),
                    }
                }
            }
            other => panic!("field {other} of a value"),
        }
    }
    (name, kind, sides)
}

#[derive(Debug)]
enum Wire<'a> {
    Integer(u64),
    Bytes(&'a [u8]),
    Float(f32),
}

impl<'a> Wire<'a> {
    fn integer(&self) -> u64 {
        let Self::Integer(value) = self else { panic!("{self:?} is no number") };
        *value
    }

    fn bytes(&self) -> &'a [u8] {
        let Self::Bytes(value) = self else { panic!("{self:?} is no message") };
        value
    }

    fn float(&self) -> f32 {
        let Self::Float(value) = self else { panic!("{self:?} is no float") };
        *value
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Wire<'_>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Wire::Integer(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Wire::Bytes(value)
            }
            5 => {
                let (value, rest) = bytes.split_first_chunk::<4>().unwrap();
                bytes = rest;
                Wire::Float(f32::from_le_bytes(*value))
            }
            other => panic!("wire type {other}"),
        };
        found.push((key >> 3, value));
    }
    found
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return value;
        }
    }
    panic!("a number of more than ten bytes")
}
