//! A table of typed columns, written as CSV and as Parquet: the same columns in both.

use std::sync::Arc;

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

use crate::error::AppError;

/// The values of a column, one a row; `None` is absent.
#[derive(Debug)]
pub(crate) enum Cells {
    Text(Vec<Option<String>>),
    Real(Vec<Option<f64>>),
    Whole(Vec<Option<i64>>),
    Flag(Vec<bool>),
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Real(cells) => cells.len(),
            Self::Whole(cells) => cells.len(),
            Self::Flag(cells) => cells.len(),
        }
    }

    fn written(&self, row: usize) -> String {
        match self {
            Self::Text(cells) => cells[row].clone(),
            Self::Real(cells) => cells[row].map(|cell| cell.to_string()),
            Self::Whole(cells) => cells[row].map(|cell| cell.to_string()),
            Self::Flag(cells) => Some(cells[row].to_string()),
        }
        .unwrap_or_default()
    }

    fn physical(&self) -> PhysicalType {
        match self {
            Self::Text(_) => PhysicalType::BYTE_ARRAY,
            Self::Real(_) => PhysicalType::DOUBLE,
            Self::Whole(_) => PhysicalType::INT64,
            Self::Flag(_) => PhysicalType::BOOLEAN,
        }
    }
}

/// A table; every column has as many rows as the first.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<(String, Cells)>,
}

impl Table {
    /// Adds a column on the right.
    pub(crate) fn add(&mut self, name: &str, cells: Cells) -> &mut Self {
        debug_assert!(self.columns.is_empty() || cells.len() == self.rows(), "{name}");
        self.columns.push((name.to_owned(), cells));
        self
    }

    fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, cells)| cells.len())
    }

    /// A line of names, then a line a row; what is absent is empty.
    pub(crate) fn csv(&self) -> Result<Vec<u8>, AppError> {
        let failed =
            |error: &dyn std::fmt::Display| AppError::Internal(format!("writing CSV failed: {error}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        let names = self.columns.iter().map(|(name, _)| name.as_str());
        writer.write_record(names).map_err(|error| failed(&error))?;
        for row in 0..self.rows() {
            let cells = self.columns.iter().map(|(_, cells)| cells.written(row));
            writer.write_record(cells).map_err(|error| failed(&error))?;
        }
        writer.into_inner().map_err(|error| failed(&error))
    }

    /// A Parquet file that says in its metadata where its numbers come from.
    pub(crate) fn parquet(&self, about: &[(String, String)]) -> Result<Vec<u8>, AppError> {
        self.try_parquet(about)
            .map_err(|error| AppError::Internal(format!("writing Parquet failed: {error}")))
    }

    fn try_parquet(&self, about: &[(String, String)]) -> Result<Vec<u8>, ParquetError> {
        let about = about.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let properties = WriterProperties::builder()
            .set_created_by(concat!("ffasr ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(about.collect()))
            .build();
        let mut writer = SerializedFileWriter::new(Vec::new(), self.schema()?, Arc::new(properties))?;
        if self.rows() > 0 {
            let mut group = writer.next_row_group()?;
            for (_, cells) in &self.columns {
                if let Some(mut column) = group.next_column()? {
                    write(&mut column, cells)?;
                    column.close()?;
                }
            }
            group.close()?;
        }
        writer.into_inner()
    }

    fn schema(&self) -> Result<TypePtr, ParquetError> {
        let field = |(name, cells): &(String, Cells)| {
            let logical = matches!(cells, Cells::Text(_)).then_some(LogicalType::String);
            let field = Type::primitive_type_builder(name, cells.physical())
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(logical)
                .build()?;
            Ok(Arc::new(field))
        };
        let fields = self.columns.iter().map(field).collect::<Result<Vec<_>, ParquetError>>()?;
        Ok(Arc::new(Type::group_type_builder("board").with_fields(fields).build()?))
    }
}

fn write(column: &mut SerializedColumnWriter<'_>, cells: &Cells) -> Result<(), ParquetError> {
    match cells {
        Cells::Text(cells) => {
            values::<ByteArrayType>(column, cells.iter().map(|cell| cell.as_deref().map(ByteArray::from)))
        }
        Cells::Real(cells) => values::<DoubleType>(column, cells.iter().copied()),
        Cells::Whole(cells) => values::<Int64Type>(column, cells.iter().copied()),
        Cells::Flag(cells) => values::<BoolType>(column, cells.iter().copied().map(Some)),
    }
}

fn values<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let cells: Vec<Option<T::T>> = cells.collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let present: Vec<T::T> = cells.into_iter().flatten().collect();
    column.typed::<T>().write_batch(&present, Some(&levels), None).map(drop)
}

#[cfg(test)]
mod tests {
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::Field,
    };

    use super::*;

    fn table() -> Table {
        let mut table = Table::default();
        table
            .add("model", Cells::Text(vec![Some("a, \"b\"".to_owned()), None]))
            .add("wer", Cells::Real(vec![None, Some(0.25)]))
            .add("rank", Cells::Whole(vec![Some(1), Some(2)]))
            .add("front", Cells::Flag(vec![true, false]));
        table
    }

    #[test]
    fn csv_quotes_what_needs_it_and_leaves_absent_cells_empty() {
        let text = String::from_utf8(table().csv().unwrap()).unwrap();
        assert_eq!(text, "model,wer,rank,front\n\"a, \"\"b\"\"\",,1,true\n,0.25,2,false\n");
    }

    #[test]
    fn parquet_holds_the_same_rows_with_their_types_and_says_where_they_come_from() {
        let about = [("release".to_owned(), "demo@1".to_owned())];
        let file = table().parquet(&about).unwrap();
        let reader = SerializedFileReader::new(bytes(file)).unwrap();
        let metadata = reader.metadata().file_metadata();
        let said = metadata.key_value_metadata().unwrap();
        assert!(said.iter().any(|it| it.key == "release" && it.value.as_deref() == Some("demo@1")));
        let rows: Vec<Vec<Field>> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().into_columns().into_iter().map(|(_, field)| field).collect())
            .collect();
        assert_eq!(
            rows,
            [
                vec![Field::Str("a, \"b\"".to_owned()), Field::Null, Field::Long(1), Field::Bool(true)],
                vec![Field::Null, Field::Double(0.25), Field::Long(2), Field::Bool(false)],
            ]
        );
    }

    fn bytes(file: Vec<u8>) -> axum::body::Bytes {
        file.into()
    }
}
