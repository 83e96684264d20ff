//! top
use crate::options::TopOptions;
use crate::status::Refusal;
pub fn top(_: &TopOptions) -> Result<(), Refusal> {
    Ok(())
}
