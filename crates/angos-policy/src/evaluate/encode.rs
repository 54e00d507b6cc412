//! Stage 5: base64, of CEL's encoders extension.

use super::{EvalResult, Frame, Range, RawValue};
use crate::program::Node;
use crate::value::Undecidable;
use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::STANDARD};
use base64::{DecodeSliceError, EncodeSliceError};

/// Reads text with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl<'a> Frame<'a, '_> {
    /// `base64.encode(bytes)`, with padding.
    pub(super) fn encode(&mut self, operand: &'a Node, at: &Node) -> EvalResult<RawValue<'a>> {
        let raw = self.present(operand)?;
        let length = self.bytes(raw).ok_or(operand.type_error(raw))?.len();
        self.charge(length / 64, at)?;
        let too_long = at.error(Undecidable::TextTooLong);
        let start = self.used.text;
        let (below, free) = self.text.split_at_mut_checked(start).ok_or(too_long)?;
        let bytes = match raw {
            RawValue::Bytes(bytes) => bytes,
            RawValue::BuiltBytes(range) => below.get(range.start()..range.end()).unwrap_or_default(),
            _ => &[],
        };
        let written = STANDARD.encode_slice(bytes, free);
        let written = written.map_err(|EncodeSliceError::OutputSliceTooSmall| too_long)?;
        self.used.text = start + written;
        Ok(RawValue::Built(Range::new(start, self.used.text)))
    }

    /// `base64.decode(text)`, with padding or without.
    pub(super) fn decode(&mut self, operand: &'a Node, at: &Node) -> EvalResult<RawValue<'a>> {
        let raw = self.present(operand)?;
        let length = self.text(raw).ok_or(operand.type_error(raw))?.len();
        self.charge(length / 64, at)?;
        let too_long = at.error(Undecidable::TextTooLong);
        let start = self.used.text;
        let (below, free) = self.text.split_at_mut_checked(start).ok_or(too_long)?;
        let text = match raw {
            RawValue::String(text) => text.as_bytes(),
            RawValue::Built(range) => below.get(range.start()..range.end()).unwrap_or_default(),
            _ => &[],
        };
        let written = LENIENT.decode_slice(text, free).map_err(|error| match error {
            DecodeSliceError::OutputSliceTooSmall => too_long,
            DecodeSliceError::DecodeError(_) => at.error(Undecidable::Conversion),
        })?;
        self.used.text = start + written;
        Ok(RawValue::BuiltBytes(Range::new(start, self.used.text)))
    }
}
