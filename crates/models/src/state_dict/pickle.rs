//! Python's pickles as plain data: nothing is imported, called or run.
//!
//! The machine knows the instructions that Python's own pickler writes in protocols 2 to 5, and the few callables by
//! which `torch.save` says "a dictionary", "a tensor". The result of any other call is an object of which the name
//! is kept and nothing else, so that a checkpoint is read whatever stands in it beside the weights.
//!
//! Values lie in one list and point to each other by their places in it: none is copied, however often it is used,
//! and neither depth nor circles matter. An instruction makes one value at most, so that memory is in proportion to
//! the pickle.
//!
//! Python, [pickletools](https://docs.python.org/3/library/pickletools.html).

use crate::state_dict::number_type::NumberType;

/// Most dimensions of a tensor; the weights of a convolution have four.
const MOST_DIMENSIONS: usize = 16;

/// A value's place among all.
pub(super) type Place = u32;

/// What a pickle holds.
#[derive(Debug)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Number,
    Bytes,
    /// A whole number.
    Integer(i128),
    Text(&'a str),
    /// A list, a tuple or a set.
    Sequence(Vec<Place>),
    /// Keys with their values, in the order in which they were set.
    Dictionary(Vec<(Place, Place)>),
    /// A class or a function.
    Global(Name<'a>),
    /// What some call gave.
    Object(Name<'a>),
    Storage(Box<Storage<'a>>),
    Tensor(Box<Tensor<'a>>),
}

/// A name with its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
}

/// Numbers that lie elsewhere in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    /// What the file calls them.
    pub(super) key: &'a str,
    /// Their type.
    pub(super) numbers: &'static NumberType,
    /// How many there are.
    pub(super) count: u64,
}

/// Numbers of a storage: that at `offset + Σ index · stride`, for every index in `shape`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tensor<'a> {
    pub(super) storage: Storage<'a>,
    /// Type of the numbers; that of the storage, unless the storage has none.
    pub(super) numbers: &'static NumberType,
    pub(super) offset: u64,
    pub(super) shape: Vec<u64>,
    pub(super) strides: Vec<u64>,
}

/// A pickle's values.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Place,
    /// Bytes that the pickle takes.
    pub(super) length: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the beginning of `bytes`.
    ///
    /// # Errors
    ///
    /// If it is cut or damaged, or has an instruction that no pickler of PyTorch writes.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let mut machine = Machine {
            bytes,
            at: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Vec::new(),
        };
        let root = machine.run().map_err(|fault| format!("byte {}: {fault}", machine.at))?;
        Ok(Self { values: machine.values, root, length: machine.at })
    }

    /// What the pickle is of.
    pub(super) fn root(&self) -> &Value<'a> {
        self.at(self.root)
    }

    /// The value at a place that one of its values points to.
    pub(super) fn at(&self, place: Place) -> &Value<'a> {
        self.values.get(place as usize).unwrap_or(&Value::None)
    }

    /// Storages by their keys, as often as the pickle names them.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage<'a>> {
        self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(&**storage),
            _ => None,
        })
    }
}

impl Value<'_> {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::None => "None".to_owned(),
            Self::Bool(_) => "a truth value".to_owned(),
            Self::Number | Self::Integer(_) => "a number".to_owned(),
            Self::Bytes => "bytes".to_owned(),
            Self::Text(_) => "a text".to_owned(),
            Self::Sequence(_) => "a list".to_owned(),
            Self::Dictionary(_) => "a dictionary".to_owned(),
            Self::Global(name) => format!("the class or function `{name}`"),
            Self::Object(name) => format!("an object of `{name}`"),
            Self::Storage(_) => "a storage".to_owned(),
            Self::Tensor(_) => "a tensor".to_owned(),
        }
    }
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.module.is_empty() {
            f.write_str(self.name)
        } else {
            write!(f, "{}.{}", self.module, self.name)
        }
    }
}

/// What an object is of whose callable nothing is known.
const UNNAMED: Name<'static> = Name { module: "", name: "object" };

/// A stack machine with a memory of values.
struct Machine<'a> {
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Place>,
    /// Heights of the stack that were marked.
    marks: Vec<usize>,
    memo: Vec<Option<Place>>,
}

type Step<T> = Result<T, String>;

impl<'a> Machine<'a> {
    /// Runs to the end and gives the value on the stack.
    fn run(&mut self) -> Step<Place> {
        loop {
            match self.byte()? {
                // PROTO and FRAME say what is known anyway.
                0x80 => self.skip(1)?,
                0x95 => self.skip(8)?,
                b'.' => return self.pop(),
                instruction => self.step(instruction)?,
            }
        }
    }

    fn step(&mut self, instruction: u8) -> Step<()> {
        match instruction {
            b'N' => self.push(Value::None),
            0x88 | 0x89 => self.push(Value::Bool(instruction == 0x88)),
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.push(Value::Integer(number.into()))
            }
            b'K' => {
                let number = self.byte()?;
                self.push(Value::Integer(number.into()))
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.push(Value::Integer(number.into()))
            }
            0x8a => {
                let length = self.byte()?.into();
                self.push_long(length)
            }
            0x8b => {
                let length = self.length(4)?;
                self.push_long(length)
            }
            b'G' => {
                self.skip(8)?;
                self.push(Value::Number)
            }
            // Texts, with one, four or eight bytes of length. Python 2 has bytes where it means texts.
            b'U' | 0x8c => self.push_text(1),
            b'T' | b'X' => self.push_text(4),
            0x8d => self.push_text(8),
            b'C' => self.push_bytes(1),
            b'B' => self.push_bytes(4),
            0x8e | 0x96 => self.push_bytes(8),
            b']' | b')' | 0x8f => self.push(Value::Sequence(Vec::new())),
            b'}' => self.push(Value::Dictionary(Vec::new())),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b't' | b'l' | 0x91 => {
                let values = self.pop_to_mark()?;
                self.push(Value::Sequence(values))
            }
            0x85..=0x87 => {
                let values = self.pop_several(usize::from(instruction - 0x84))?;
                self.push(Value::Sequence(values))
            }
            b'd' => {
                let values = self.pop_to_mark()?;
                self.push(Value::Dictionary(pairs(&values)?))
            }
            b'a' => {
                let value = self.pop()?;
                self.append(vec![value])
            }
            b'e' | 0x90 => {
                let values = self.pop_to_mark()?;
                self.append(values)
            }
            b's' => {
                let pair = self.pop_several(2)?;
                self.set(&pair)
            }
            b'u' => {
                let values = self.pop_to_mark()?;
                self.set(&values)
            }
            b'0' => self.pop().map(drop),
            b'1' => self.pop_to_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            b'q' => {
                let place = self.byte()?.into();
                self.remember(place)
            }
            b'r' => {
                let place = self.length(4)?;
                self.remember(place)
            }
            0x94 => self.remember(self.memo.len()),
            b'h' => {
                let place = self.byte()?.into();
                self.recall(place)
            }
            b'j' => {
                let place = self.length(4)?;
                self.recall(place)
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(Name { module, name }))
            }
            0x93 => {
                let names = self.pop_several(2)?;
                let [module, name] = self.texts(&names)?;
                self.push(Value::Global(Name { module, name }))
            }
            b'Q' => {
                let id = self.pop()?;
                self.push_persistent(id)
            }
            // REDUCE, NEWOBJ and NEWOBJ_EX: a callable or class with its arguments.
            b'R' | 0x81 => {
                let call = self.pop_several(2)?;
                self.call(&call)
            }
            0x92 => {
                let call = self.pop_several(3)?;
                self.call(&call)
            }
            // BUILD gives an object what it has. A dictionary's attributes are none of its entries.
            b'b' => {
                self.pop()?;
                self.top().map(drop)
            }
            other => Err(format!("unknown instruction {other:#04x}")),
        }
    }

    // The bytes.

    fn take(&mut self, length: usize) -> Step<&'a [u8]> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or("it is cut")?;
        self.at += length;
        Ok(taken)
    }

    fn skip(&mut self, length: usize) -> Step<()> {
        self.take(length).map(drop)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| "it is cut".to_owned())
    }

    fn byte(&mut self) -> Step<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A length of so many bytes, at most eight.
    fn length(&mut self, bytes: usize) -> Step<usize> {
        let digits = self.take(bytes)?.iter().rev();
        let length = digits.fold(0_u64, |length, digit| length << 8 | u64::from(*digit));
        usize::try_from(length).map_err(|_| "it is cut".to_owned())
    }

    /// Text up to the next line's beginning.
    fn line(&mut self) -> Step<&'a str> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or("it is cut")?;
        let line = self.take(length)?;
        self.skip(1)?;
        str::from_utf8(line).map_err(|_| "a name is no text".to_owned())
    }

    // The stack.

    fn push(&mut self, value: Value<'a>) -> Step<()> {
        let place = Place::try_from(self.values.len()).map_err(|_| "it has too many values")?;
        self.values.push(value);
        self.stack.push(place);
        Ok(())
    }

    /// Height below which nothing may be taken.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<Place> {
        let top = self.stack.last().filter(|_| self.stack.len() > self.floor());
        top.copied().ok_or_else(|| "nothing is on the stack".to_owned())
    }

    fn pop(&mut self) -> Step<Place> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_several(&mut self, count: usize) -> Step<Vec<Place>> {
        let from = self.stack.len().checked_sub(count).filter(|from| *from >= self.floor());
        let from = from.ok_or("too little is on the stack")?;
        Ok(self.stack.split_off(from))
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Place>> {
        let from = self.marks.pop().ok_or("nothing is marked")?;
        Ok(self.stack.split_off(from.min(self.stack.len())))
    }

    fn value(&self, place: Place) -> &Value<'a> {
        self.values.get(place as usize).unwrap_or(&Value::None)
    }

    fn texts<const N: usize>(&self, places: &[Place]) -> Step<[&'a str; N]> {
        let text = |place: &Place| match self.value(*place) {
            Value::Text(text) => Some(*text),
            _ => None,
        };
        let texts: Option<Vec<&str>> = places.iter().map(text).collect();
        texts.and_then(|texts| texts.try_into().ok()).ok_or_else(|| "a name is no text".to_owned())
    }

    fn remember(&mut self, place: usize) -> Step<()> {
        let top = self.top()?;
        // Picklers count up by one; a place further away would be memory that nothing is in.
        if place > self.values.len() {
            return Err("it remembers more than it has".to_owned());
        }
        if self.memo.len() <= place {
            self.memo.resize(place + 1, None);
        }
        if let Some(slot) = self.memo.get_mut(place) {
            *slot = Some(top);
        }
        Ok(())
    }

    fn recall(&mut self, place: usize) -> Step<()> {
        let value = self.memo.get(place).copied().flatten();
        self.stack.push(value.ok_or("it recalls what it has not remembered")?);
        Ok(())
    }

    // Values.

    fn push_long(&mut self, length: usize) -> Step<()> {
        let digits = self.take(length)?;
        // Numbers of more than 16 bytes are none that anything here is about.
        let value = match digits.last() {
            None => Value::Integer(0),
            Some(_) if length > size_of::<i128>() => Value::Number,
            Some(highest) => {
                let sign = if highest & 0x80 == 0 { 0 } else { -1 };
                let more = |number: i128, digit: &u8| number << 8 | i128::from(*digit);
                Value::Integer(digits.iter().rev().fold(sign, more))
            }
        };
        self.push(value)
    }

    fn push_text(&mut self, bytes: usize) -> Step<()> {
        let length = self.length(bytes)?;
        let text = self.take(length)?;
        self.push(str::from_utf8(text).map_or(Value::Bytes, Value::Text))
    }

    fn push_bytes(&mut self, bytes: usize) -> Step<()> {
        let length = self.length(bytes)?;
        self.skip(length)?;
        self.push(Value::Bytes)
    }

    /// Adds to the list below what was popped. What becomes of an object is not followed.
    fn append(&mut self, new: Vec<Place>) -> Step<()> {
        let list = self.top()?;
        if let Some(Value::Sequence(values)) = self.values.get_mut(list as usize) {
            values.extend(new);
        }
        Ok(())
    }

    /// Sets entries of the dictionary below what was popped.
    fn set(&mut self, keys_and_values: &[Place]) -> Step<()> {
        let dictionary = self.top()?;
        let new = pairs(keys_and_values)?;
        if let Some(Value::Dictionary(entries)) = self.values.get_mut(dictionary as usize) {
            entries.extend(new);
        }
        Ok(())
    }

    /// What a persistent identity stands for: a storage, or in the legacy format a class with its source.
    fn push_persistent(&mut self, id: Place) -> Step<()> {
        let Value::Sequence(parts) = self.value(id) else {
            return Err("a reference is no tuple".to_owned());
        };
        let part =
            |number: usize| parts.get(number).map_or(&Value::None, |place| self.value(*place));
        let value = match part(0) {
            Value::Text("module") => match part(1) {
                Value::Global(name) => Value::Global(*name),
                _ => Value::Global(UNNAMED),
            },
            Value::Text("storage") => {
                let storage = storage(part(1), part(2), part(4))?;
                // A part of another storage, which PyTorch has not written since version 0.2.
                if matches!(part(5), Value::Sequence(_)) {
                    return Err("a storage is part of another one, as in PyTorch 0.1".to_owned());
                }
                Value::Storage(Box::new(storage))
            }
            _ => return Err("a reference is to no storage".to_owned()),
        };
        self.push(value)
    }

    /// What a callable gives: `[callable, arguments]`, of which more than these are none of what is known here.
    fn call(&mut self, call: &[Place]) -> Step<()> {
        let [callable, arguments, ..] = call else {
            return Err("a call lacks its arguments".to_owned());
        };
        let name = match self.value(*callable) {
            Value::Global(name) | Value::Object(name) => *name,
            _ => UNNAMED,
        };
        let (name, arguments) = self.of_its_type(name, *arguments);
        let Value::Sequence(places) = self.value(arguments) else {
            return self.push(Value::Object(name));
        };
        let first = places.first().copied();
        match (name.module, name.name, first) {
            ("collections", "OrderedDict", None) => self.push(Value::Dictionary(Vec::new())),
            ("collections", "OrderedDict", Some(list)) => {
                let entries = self.entries(list)?;
                self.push(Value::Dictionary(entries))
            }
            ("torch", "Size", Some(list)) => {
                self.stack.push(list);
                Ok(())
            }
            (
                "torch._utils",
                "_rebuild_parameter" | "_rebuild_parameter_with_state",
                Some(tensor),
            )
            | ("torch.nn.parameter", "Parameter" | "Buffer", Some(tensor)) => {
                self.stack.push(tensor);
                Ok(())
            }
            (
                "torch._utils",
                "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3",
                Some(_),
            ) => {
                let typed = name.name.ends_with("v3");
                let places = places.get(..places.len().min(8)).unwrap_or_default().to_vec();
                let tensor = self.tensor(&places, typed)?;
                self.push(Value::Tensor(Box::new(tensor)))
            }
            _ => self.push(Value::Object(name)),
        }
    }

    /// A tensor with attributes is pickled as (callable, type, arguments, attributes) of another call.
    fn of_its_type(&self, name: Name<'a>, arguments: Place) -> (Name<'a>, Place) {
        let is_of_type = (name.module, name.name) == ("torch._tensor", "_rebuild_from_type_v2");
        match self.value(arguments) {
            Value::Sequence(places) if is_of_type => match places.as_slice() {
                [callable, _, arguments, ..] => match self.value(*callable) {
                    Value::Global(inner) => (*inner, *arguments),
                    _ => (name, *arguments),
                },
                _ => (name, arguments),
            },
            _ => (name, arguments),
        }
    }

    /// The entries that a list of pairs stands for, as Python 2 pickles an ordered dictionary. The list is emptied, since
    /// copies of it could be as many as there are calls.
    fn entries(&mut self, list: Place) -> Step<Vec<(Place, Place)>> {
        let Some(Value::Sequence(places)) = self.values.get_mut(list as usize) else {
            return Err("a dictionary is made of no list".to_owned());
        };
        let places = std::mem::take(places);
        let pair = |place: &Place| match self.value(*place) {
            Value::Sequence(pair) => match pair.as_slice() {
                [key, value] => Some((*key, *value)),
                _ => None,
            },
            _ => None,
        };
        let entries: Option<_> = places.iter().map(pair).collect();
        entries.ok_or_else(|| "a dictionary is made of no pairs".to_owned())
    }

    /// A tensor of (storage, offset, shape, strides, …), with its type as the seventh if `typed`.
    fn tensor(&self, arguments: &[Place], typed: bool) -> Step<Tensor<'a>> {
        let argument = |number| arguments.get(number).map_or(&Value::None, |it| self.value(*it));
        let Value::Storage(storage) = argument(0) else {
            return Err(format!("a tensor is made of {}", argument(0).kind()));
        };
        let [shape, strides] = [self.sizes(argument(2))?, self.sizes(argument(3))?];
        if shape.len() != strides.len() {
            return Err("a tensor's shape and strides differ in length".to_owned());
        }
        let numbers = match (typed, argument(6)) {
            (false, _) => storage.numbers,
            (true, Value::Global(Name { module: "torch", name })) => {
                NumberType::named(name).ok_or_else(|| format!("unknown numbers `torch.{name}`"))?
            }
            (true, other) => return Err(format!("a tensor's type is {}", other.kind())),
        };
        let offset = size(argument(1)).ok_or("a tensor's offset is no number")?;
        Ok(Tensor { storage: **storage, numbers, offset, shape, strides })
    }

    fn sizes(&self, value: &Value<'a>) -> Step<Vec<u64>> {
        let sizes = match value {
            Value::Sequence(places) if places.len() <= MOST_DIMENSIONS => {
                places.iter().map(|place| size(self.value(*place))).collect()
            }
            _ => None,
        };
        sizes.ok_or_else(|| "a tensor's shape or strides are no sizes".to_owned())
    }
}

/// Keys and values in turns.
fn pairs(keys_and_values: &[Place]) -> Step<Vec<(Place, Place)>> {
    let (pairs, rest) = keys_and_values.as_chunks::<2>();
    if rest.is_empty() {
        return Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect());
    }
    Err("a key has no value".to_owned())
}

fn size(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Integer(size) => u64::try_from(*size).ok(),
        _ => None,
    }
}

/// A storage of that class, key and number of numbers.
fn storage<'a>(class: &Value<'a>, key: &Value<'a>, count: &Value<'a>) -> Step<Storage<'a>> {
    let Value::Global(class) = class else {
        return Err(format!("a storage's class is {}", class.kind()));
    };
    let numbers = NumberType::of_storage(class.name)
        .ok_or_else(|| format!("unknown numbers, of the class `{class}`"))?;
    match (key, size(count)) {
        (Value::Text(key), Some(count)) => Ok(Storage { key, numbers, count }),
        _ => Err("a storage lacks its key or its size".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_kind(pickle: &[u8]) -> Result<String, String> {
        Pickle::read(pickle).map(|pickle| pickle.root().kind())
    }

    #[test]
    fn a_call_runs_nothing_and_leaves_the_name_of_what_it_would_have_called() {
        // pickle.dumps of an object whose __reduce__ is (os.system, ("true",)).
        let pickle = b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.";
        assert_eq!(root_kind(pickle), Ok("an object of `posix.system`".to_owned()));
    }

    #[test]
    fn numbers_of_every_length_are_read() {
        let of = |pickle: &[u8]| match Pickle::read(pickle).unwrap().root() {
            Value::Integer(number) => Some(*number),
            _ => None,
        };
        assert_eq!(of(b"\x80\x02K\xff."), Some(255));
        assert_eq!(of(b"\x80\x02M\x00\x01."), Some(256));
        assert_eq!(of(b"\x80\x02J\xff\xff\xff\xff."), Some(-1));
        assert_eq!(of(b"\x80\x02\x8a\x00."), Some(0));
        assert_eq!(of(b"\x80\x02\x8a\x05\x00\x00\x00\x00\x80."), Some(-1 << 39));
        assert_eq!(of(&[b"\x80\x02\x8a\x14".as_slice(), &[1; 20], b"."].concat()), None);
    }

    #[test]
    fn what_is_cut_or_unknown_is_refused_where_it_stands() {
        for (pickle, expected) in [
            (b"\x80\x02}".as_slice(), "cut"),
            (b"\x80\x02.", "nothing is on the stack"),
            (b"\x80\x02(0.", "nothing is on the stack"),
            (b"\x80\x02u.", "nothing is marked"),
            (b"\x80\x02}(Nu.", "byte 6: a key has no value"),
            (b"\x80\x02h\x00.", "not remembered"),
            (b"\x80\x02Nr\xff\xff\xff\xff.", "remembers more"),
            (b"\x80\x02X\xff\xff\xff\xffabc.", "cut"),
            (b"i__main__\nA\n.", "unknown instruction 0x69"),
        ] {
            let message = root_kind(pickle).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_list_in_a_list_a_million_times_is_read_and_dropped() {
        let depth = 1_000_000;
        let pickle = [vec![b']'; depth], vec![b'a'; depth - 1], vec![b'.']].concat();
        assert_eq!(root_kind(&pickle), Ok("a list".to_owned()));
    }

    #[test]
    fn an_ordered_dictionary_of_python_2_has_its_entries() {
        let pickle = b"\x80\x02ccollections\nOrderedDict\n](U\x01aK\x01e](U\x01bK\x02e\x86\x85R.";
        let pickle = Pickle::read(pickle).unwrap();
        let Value::Dictionary(entries) = pickle.root() else { panic!("{:?}", pickle.root()) };
        assert_eq!(entries.len(), 2);
        assert!(matches!(pickle.at(entries[1].0), Value::Text("b")));
        assert!(matches!(pickle.at(entries[1].1), Value::Integer(2)));
    }
}
