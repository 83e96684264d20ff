//! The registers that unwinding needs, by DWARF's numbers (System V ABI, AMD64, figure 3.36).

/// Register numbers.
pub const RBX: u16 = 3;
pub const RBP: u16 = 6;
pub const RSP: u16 = 7;
pub const R12: u16 = 12;
pub const R13: u16 = 13;
pub const R14: u16 = 14;
pub const R15: u16 = 15;
pub const RIP: u16 = 16;

/// Some registers' values: not all are known of a frame further up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    values: [u64; 17],
    known: u32,
}

impl Registers {
    /// With these values.
    pub fn of(values: &[(u16, u64)]) -> Self {
        let mut registers = Registers::default();
        for &(register, value) in values {
            registers.set(register, Some(value));
        }
        registers
    }

    pub fn get(&self, register: u16) -> Option<u64> {
        let value = *self.values.get(usize::from(register))?;
        (self.known & 1 << register != 0).then_some(value)
    }

    /// Sets a register, or forgets its value. Others than these are not kept.
    pub fn set(&mut self, register: u16, value: Option<u64>) {
        let Some(place) = self.values.get_mut(usize::from(register)) else { return };
        *place = value.unwrap_or(0);
        self.known = self.known & !(1 << register) | u32::from(value.is_some()) << register;
    }

    pub fn rip(&self) -> u64 {
        self.get(RIP).unwrap_or(0)
    }

    pub fn rsp(&self) -> u64 {
        self.get(RSP).unwrap_or(0)
    }
}
