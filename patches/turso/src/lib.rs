//! A database that never opens, with the names that CubeCL's `persistence` takes from the crate `turso`.
//!
//! Where the database cannot be opened, CubeCL keeps what it would write there in a map of the process, which is public
//! and can be filled and read. `backburn-training` does so, and has files of its own, which know the driver, are written
//! anew where they are damaged, and have a limit. What comes with the database otherwise, a hundred crates, is not built.

use std::convert::Infallible;
use std::error;
use std::fmt;
use std::future::{Ready, ready};
use std::io;
use std::time::Duration;

/// Why something failed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// Somebody else has the database.
    Busy(String),
    /// Somebody else changed it meanwhile.
    BusySnapshot(String),
    /// Anything else.
    Error(String),
    /// A file could not be read or written.
    IoError(io::ErrorKind, &'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(reason) | Self::BusySnapshot(reason) | Self::Error(reason) => {
                f.write_str(reason)
            }
            Self::IoError(kind, doing) => write!(f, "{doing}: {kind}"),
        }
    }
}

impl error::Error for Error {}

/// The outcome of whatever a database is asked.
pub type Result<T> = std::result::Result<T, Error>;

/// What a database is opened by.
#[derive(Debug)]
pub struct Builder;

impl Builder {
    /// For a file.
    pub fn new_local(_path: &str) -> Self {
        Self
    }

    /// Changes nothing.
    #[must_use]
    pub fn experimental_multiprocess_wal(self, _on: bool) -> Self {
        self
    }

    /// Changes nothing.
    #[must_use]
    pub fn experimental_vacuum(self, _on: bool) -> Self {
        self
    }

    /// Changes nothing.
    #[must_use]
    pub fn read_only(self, _on: bool) -> Self {
        self
    }

    /// Fails.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn build(self) -> Ready<Result<Database>> {
        ready(Err(Error::Error("this build keeps tuned kernels in files of its own".into())))
    }
}

/// What is never opened.
#[derive(Debug)]
pub struct Database(Infallible);

impl Database {
    /// Cannot be called.
    ///
    /// # Errors
    ///
    /// None.
    pub fn connect(&self) -> Result<Connection> {
        match self.0 {}
    }
}

/// A connection to what is never opened.
#[derive(Debug)]
pub struct Connection(Infallible);

impl Connection {
    /// Cannot be called.
    ///
    /// # Errors
    ///
    /// None.
    pub fn busy_timeout(&self, _time: Duration) -> Result<()> {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn query<P>(&self, _sql: impl AsRef<str>, _parameters: P) -> Ready<Result<Rows>> {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn execute<P>(&self, _sql: impl AsRef<str>, _parameters: P) -> Ready<Result<u64>> {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn pragma_query<F: FnMut(&Row) -> Result<()>>(
        &self,
        _name: &str,
        _each: F,
    ) -> Ready<Result<()>> {
        match self.0 {}
    }

    /// Cannot be called.
    pub fn transaction_with_behavior(
        &mut self,
        _behavior: transaction::TransactionBehavior,
    ) -> Ready<Result<transaction::Transaction<'_>>> {
        match self.0 {}
    }
}

/// Rows of what is never opened.
#[derive(Debug)]
pub struct Rows(Infallible);

impl Rows {
    /// Cannot be called. Of the name that the real crate has.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Ready<Result<Option<Row>>> {
        match self.0 {}
    }
}

/// A row of what is never opened.
#[derive(Debug)]
pub struct Row(Infallible);

impl Row {
    /// Cannot be called.
    ///
    /// # Errors
    ///
    /// None.
    pub fn get<T>(&self, _column: usize) -> Result<T> {
        match self.0 {}
    }
}

/// Several statements as one.
pub mod transaction {
    use std::convert::Infallible;
    use std::future::Ready;
    use std::marker::PhantomData;
    use std::ops::Deref;

    use super::{Connection, Result};

    /// When others are shut out.
    #[derive(Clone, Copy, Debug)]
    pub enum TransactionBehavior {
        /// At the first statement.
        Deferred,
        /// At once.
        Immediate,
    }

    /// Several statements in what is never opened.
    #[derive(Debug)]
    pub struct Transaction<'a>(Infallible, PhantomData<&'a mut Connection>);

    impl Transaction<'_> {
        /// Cannot be called.
        pub fn commit(self) -> Ready<Result<()>> {
            match self.0 {}
        }
    }

    impl Deref for Transaction<'_> {
        type Target = Connection;

        fn deref(&self) -> &Connection {
            match self.0 {}
        }
    }
}
