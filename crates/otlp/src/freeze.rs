//! Grown columns to Arrow arrays and batches. Vectors are handed over, not copied.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, DictionaryArray, FixedSizeBinaryArray, ListArray,
    PrimitiveArray, RecordBatch, StringArray, StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowNativeType, DataType, FieldRef, Fields, Float64Type, Int32Type, Int64Type, Schema, SchemaRef,
    TimestampNanosecondType, UInt8Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use model::Table;

use crate::columns::{Bitmap, Ends, Keywords, Lists, Texts, Values, take_vec};

/// Which Arrow type plain numbers become. Times are `i64` too and have a function of their own.
pub(crate) trait Number: ArrowNativeType {
    type Arrow: ArrowPrimitiveType<Native = Self>;
}

macro_rules! number {
    ($($native:ty => $arrow:ty),*) => {
        $(impl Number for $native {
            type Arrow = $arrow;
        })*
    };
}

number!(i32 => Int32Type, i64 => Int64Type, u8 => UInt8Type, u32 => UInt32Type, u64 => UInt64Type, f64 => Float64Type);

fn nulls(valid: &mut Bitmap) -> Option<NullBuffer> {
    let (bytes, len) = valid.take()?;
    Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bytes), 0, len)))
}

fn offsets(ends: &mut Ends) -> OffsetBuffer<i32> {
    OffsetBuffer::new(ScalarBuffer::from(ends.take()))
}

pub(crate) fn numbers<P: ArrowPrimitiveType>(
    column: &mut Values<P::Native>,
    rows: usize,
) -> Result<ArrayRef, ArrowError>
where
    P::Native: Copy + Default,
{
    column.align(rows);
    let nulls = nulls(&mut column.valid);
    Ok(Arc::new(PrimitiveArray::<P>::try_new(ScalarBuffer::from(take_vec(&mut column.values)), nulls)?))
}

pub(crate) fn times(column: &mut Values<i64>, rows: usize) -> Result<ArrayRef, ArrowError> {
    numbers::<TimestampNanosecondType>(column, rows)
}

pub(crate) fn fixed<const N: usize>(column: &mut Values<[u8; N]>, rows: usize) -> Result<ArrayRef, ArrowError>
where
    [u8; N]: Default,
{
    column.align(rows);
    let nulls = nulls(&mut column.valid);
    let bytes = Buffer::from_vec(take_vec(&mut column.values).into_flattened());
    Ok(Arc::new(FixedSizeBinaryArray::try_new(N as i32, bytes, nulls)?))
}

pub(crate) fn texts(column: &mut Texts, rows: usize) -> Result<ArrayRef, ArrowError> {
    column.open(rows);
    let nulls = nulls(&mut column.ends.valid);
    let bytes = Buffer::from_vec(take_vec(&mut column.bytes));
    Ok(Arc::new(StringArray::try_new(offsets(&mut column.ends), bytes, nulls)?))
}

fn booleans(column: &mut Values<bool>, rows: usize) -> ArrayRef {
    column.align(rows);
    let nulls = nulls(&mut column.valid);
    Arc::new(BooleanArray::new(BooleanBuffer::from(take_vec(&mut column.values)), nulls))
}

fn keywords(column: &mut Keywords, rows: usize) -> Result<ArrayRef, ArrowError> {
    column.keys.align(rows);
    let nulls = nulls(&mut column.keys.valid);
    let keys = PrimitiveArray::<Int32Type>::try_new(ScalarBuffer::from(take_vec(&mut column.keys.values)), nulls)?;
    let (offsets, bytes) = column.dictionary.take();
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let texts = StringArray::try_new(offsets, Buffer::from_vec(bytes), None)?;
    Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(texts))?))
}

/// The field of a list's elements.
fn element(field: &FieldRef) -> Result<FieldRef, ArrowError> {
    match field.data_type() {
        DataType::List(element) => Ok(element.clone()),
        other => Err(ArrowError::SchemaError(format!("{} is {other}, no list", field.name()))),
    }
}

/// Builds one table's batch: each column is named in the order of the schema, and left out where it is all null.
pub(crate) struct Assembly {
    schema: SchemaRef,
    rows: usize,
    next: usize,
    fields: Vec<FieldRef>,
    arrays: Vec<ArrayRef>,
}

impl Assembly {
    pub fn new(table: Table, rows: usize) -> Assembly {
        let schema = schema::schema(table);
        let columns = schema.fields().len();
        Assembly { schema, rows, next: 0, fields: Vec::with_capacity(columns), arrays: Vec::with_capacity(columns) }
    }

    /// The field of the column that comes next, which must have this name.
    fn field(&mut self, name: &str) -> Result<FieldRef, ArrowError> {
        let field = self.schema.fields().get(self.next).filter(|field| field.name() == name).cloned();
        self.next += 1;
        field.ok_or_else(|| ArrowError::SchemaError(format!("column {name} is not where the schema has it")))
    }

    fn add(&mut self, field: FieldRef, array: ArrayRef) {
        self.fields.push(field);
        self.arrays.push(array);
    }

    pub fn times(&mut self, name: &str, column: &mut Values<i64>) -> Result<(), ArrowError> {
        let field = self.field(name)?;
        if column.valid.ones() == 0 {
            column.truncate(0);
        } else {
            self.add(field, times(column, self.rows)?);
        }
        Ok(())
    }

    pub fn numbers<T: Number>(&mut self, name: &str, column: &mut Values<T>) -> Result<(), ArrowError> {
        let field = self.field(name)?;
        if column.valid.ones() == 0 {
            column.truncate(0);
        } else {
            self.add(field, numbers::<T::Arrow>(column, self.rows)?);
        }
        Ok(())
    }

    pub fn fixed<const N: usize>(&mut self, name: &str, column: &mut Values<[u8; N]>) -> Result<(), ArrowError>
    where
        [u8; N]: Default,
    {
        let field = self.field(name)?;
        if column.valid.ones() == 0 {
            column.truncate(0);
        } else {
            self.add(field, fixed(column, self.rows)?);
        }
        Ok(())
    }

    pub fn booleans(&mut self, name: &str, column: &mut Values<bool>) -> Result<(), ArrowError> {
        let field = self.field(name)?;
        if column.valid.ones() == 0 {
            column.truncate(0);
        } else {
            self.add(field, booleans(column, self.rows));
        }
        Ok(())
    }

    pub fn texts(&mut self, name: &str, column: &mut Texts) -> Result<(), ArrowError> {
        let field = self.field(name)?;
        if column.ends.valid.ones() == 0 {
            column.truncate(0);
        } else {
            self.add(field, texts(column, self.rows)?);
        }
        Ok(())
    }

    pub fn keywords(&mut self, name: &str, column: &mut Keywords) -> Result<(), ArrowError> {
        let field = self.field(name)?;
        if column.keys.valid.ones() == 0 {
            column.truncate(0);
            column.dictionary.truncate(0);
        } else {
            self.add(field, keywords(column, self.rows)?);
        }
        Ok(())
    }

    pub fn lists<T: Number>(&mut self, name: &str, column: &mut Lists<T>) -> Result<(), ArrowError> {
        let field = self.field(name)?;
        if column.ends.valid.ones() == 0 {
            column.truncate(0);
            return Ok(());
        }
        column.open(self.rows);
        let nulls = nulls(&mut column.ends.valid);
        let values = PrimitiveArray::<T::Arrow>::try_new(ScalarBuffer::from(take_vec(&mut column.values)), None)?;
        let list = ListArray::try_new(element(&field)?, offsets(&mut column.ends), Arc::new(values), nulls)?;
        self.add(field, Arc::new(list));
        Ok(())
    }

    /// A list of structs, whose columns `children` freezes once it is known to be needed.
    pub fn structs(
        &mut self,
        name: &str,
        ends: &mut Ends,
        children: impl FnOnce() -> Result<Vec<ArrayRef>, ArrowError>,
    ) -> Result<(), ArrowError> {
        let field = self.field(name)?;
        if ends.valid.ones() == 0 {
            ends.truncate(0);
            return Ok(());
        }
        ends.align(self.rows);
        let nulls = nulls(&mut ends.valid);
        let element = element(&field)?;
        let DataType::Struct(fields) = element.data_type() else {
            return Err(ArrowError::SchemaError(format!("{name} holds no structs")));
        };
        let values: StructArray = StructArray::try_new(Fields::clone(fields), children()?, None)?;
        let list = ListArray::try_new(element.clone(), offsets(ends), Arc::new(values), nulls)?;
        self.add(field, Arc::new(list));
        Ok(())
    }

    pub fn finish(self) -> Result<RecordBatch, ArrowError> {
        if self.next != self.schema.fields().len() {
            return Err(ArrowError::SchemaError("a column of the schema is missing".into()));
        }
        debug_assert!(self.arrays.iter().all(|array| array.len() == self.rows));
        RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)
    }
}
