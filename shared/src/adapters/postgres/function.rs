//! Declares the schema's SQL functions as methods of [`Postgres`](super::Postgres).

use tokio_postgres::types::Type;

use super::argument::{Argument, SqlValue};

/// An SQL function as Rust calls it.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub name: &'static str,
    pub(super) arguments: &'static [&'static [Type]],
    pub(super) reads: fn(&Type) -> bool,
}

impl Function {
    /// The SQL types of the parameters that Rust sends.
    pub fn parameters(&self) -> Vec<Type> {
        self.arguments.concat()
    }

    /// Returns whether Rust can read an answer of this SQL type.
    pub fn reads(&self, answer: &Type) -> bool {
        (self.reads)(answer)
    }

    pub fn statement(&self, schema: &str) -> String {
        let parameters = 1..=self.arguments.iter().map(|types| types.len()).sum();
        let parameters: Vec<String> = parameters.map(|number| format!("${number}")).collect();
        format!("select {schema}.{}({})", self.name, parameters.join(", "))
    }
}

/// The values of one call, in the order of its parameters.
#[derive(Default)]
pub(super) struct Values<'a>(pub(super) Vec<SqlValue<'a>>);

impl<'a> Values<'a> {
    pub(super) fn add(mut self, argument: impl Argument<'a>) -> Self {
        argument.add_to(&mut self.0);
        self
    }
}

/// Declares SQL functions as methods of `Postgres`, and lists them in `FUNCTIONS`, which a test
/// compares with the schema.
///
/// The answer is `json T` (one JSON value; SQL's null is JSON's), `rows Vec<T>` (a JSON value in
/// each row), `value T` (one value of an SQL type), or absent.
macro_rules! sql_functions {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident $(<$generic:ident>)? (
            $($argument:ident: $type:ty),* $(,)?
        ) $(-> $form:ident $answer:ty)?;
    )*) => {
        impl super::Postgres {
            $(
                $(#[$attribute])*
                #[allow(clippy::too_many_arguments, reason = "a method has those of its function")]
                $visibility async fn $name $(<$generic: serde::de::DeserializeOwned>)? (
                    &self,
                    $($argument: $type),*
                ) -> Result<sql_functions!(@answer $($answer)?), super::PostgresError> {
                    const FUNCTION: super::Function =
                        sql_functions!(@function $name [$($type),*] $($form $answer)?);
                    let values = super::function::Values::default()$(.add($argument))*;
                    let rows = self.run(&FUNCTION, values).await?;
                    sql_functions!(@read rows $($form)?)
                }
            )*
        }

        pub(super) const FUNCTIONS: &[super::Function] = &[
            $(sql_functions!(@function $name [$($type),*] $($form $answer)?)),*
        ];
    };

    (@function $name:ident [$($type:ty),*] $($form:ident $answer:ty)?) => {
        super::Function {
            name: stringify!($name),
            arguments: &[$(<$type as super::argument::Argument<'_>>::TYPES),*],
            reads: sql_functions!(@reads $($form $answer)?),
        }
    };

    (@answer $answer:ty) => { $answer };
    (@answer) => { () };

    (@read $rows:ident $form:ident) => { super::answer::$form(&$rows) };
    (@read $rows:ident) => {{
        drop($rows);
        Ok(())
    }};

    (@reads value $answer:ty) => { <$answer as tokio_postgres::types::FromSql>::accepts };
    (@reads $form:ident $answer:ty) => {
        <serde_json::Value as tokio_postgres::types::FromSql>::accepts
    };
    (@reads) => { |_| true };
}

pub(super) use sql_functions;
