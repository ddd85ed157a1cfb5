//! Generates names that look random but follow from a counter, so that the same steps give the same
//! names.

/// The counter's current value.
#[derive(Debug, Clone, Default)]
pub struct IdGenerator(u64);

impl IdGenerator {
    /// Returns a uid of the shape Cal.com gives: 22 letters and digits.
    pub fn next_uid(&mut self) -> String {
        const LETTERS: &[u8; 57] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxy";
        let (mut high, mut low) = (self.next_number(), self.next_number());
        let mut text = String::with_capacity(22);
        for turn in 0..22 {
            let source = if turn % 2 == 0 { &mut high } else { &mut low };
            text.push(char::from(LETTERS[(*source % 57) as usize]));
            *source /= 57;
        }
        text
    }

    /// Returns an identifier of the shape of a UUID.
    pub fn next_uuid(&mut self) -> String {
        let (high, low) = (self.next_number(), self.next_number());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }

    fn next_number(&mut self) -> u64 {
        self.0 += 1;
        mix_bits(self.0)
    }
}

/// Spreads the bits of a number (splitmix64's finalizer): the result looks random but is not.
pub fn mix_bits(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
