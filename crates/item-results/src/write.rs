//! Writing a file.

use std::sync::Arc;

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type},
    file::{
        metadata::KeyValue,
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};

use crate::{
    ItemResult, ItemResults, ItemResultsError,
    columns::{COLUMNS, Column, Get},
};

/// The bytes of a file.
///
/// # Errors
/// When the Parquet writer fails, which it has no reason to in memory.
pub fn write(results: &ItemResults) -> Result<Vec<u8>, ItemResultsError> {
    let about = results.about.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let properties = WriterProperties::builder()
        .set_created_by(concat!("ffasr ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(about.collect()))
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), schema()?, Arc::new(properties))?;
    if !results.items.is_empty() {
        let mut group = writer.next_row_group()?;
        for column in &COLUMNS {
            if let Some(mut values) = group.next_column()? {
                write_column(&mut values, column, &results.items)?;
                values.close()?;
            }
        }
        group.close()?;
    }
    Ok(writer.into_inner()?)
}

fn schema() -> Result<TypePtr, ItemResultsError> {
    let fields = COLUMNS.iter().map(|column| {
        let physical = match column.get {
            Get::Integer(_) => PhysicalType::INT32,
            Get::Real(_) => PhysicalType::DOUBLE,
            Get::Text(_) => PhysicalType::BYTE_ARRAY,
            Get::Flag(_) => PhysicalType::BOOLEAN,
        };
        let logical = matches!(column.get, Get::Text(_)).then_some(LogicalType::String);
        let repetition = if column.required { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        let field = Type::primitive_type_builder(column.name, physical)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(field))
    });
    let fields = fields.collect::<Result<Vec<_>, ItemResultsError>>()?;
    Ok(Arc::new(Type::group_type_builder("item_results").with_fields(fields).build()?))
}

fn write_column(
    values: &mut SerializedColumnWriter<'_>,
    column: &Column,
    items: &[ItemResult],
) -> Result<(), ItemResultsError> {
    let required = column.required;
    match column.get {
        Get::Integer(get) => write_values::<Int32Type>(values, required, items.iter().map(get)),
        Get::Real(get) => write_values::<DoubleType>(values, required, items.iter().map(get)),
        Get::Text(get) => {
            let texts = items.iter().map(|item| get(item).map(ByteArray::from));
            write_values::<ByteArrayType>(values, required, texts)
        }
        Get::Flag(get) => {
            write_values::<BoolType>(values, required, items.iter().map(|item| Some(get(item))))
        }
    }
}

fn write_values<T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    required: bool,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ItemResultsError> {
    let values: Vec<Option<T::T>> = values.collect();
    // Of an optional column: 1 where there is a value, 0 where there is none.
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let present: Vec<T::T> = values.into_iter().flatten().collect();
    let levels = (!required).then_some(levels.as_slice());
    writer.typed::<T>().write_batch(&present, levels, None)?;
    Ok(())
}
