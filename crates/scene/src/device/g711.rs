//! Companding of ITU-T G.711 (11/1988): eight bits a sample, by its tables of decision and output values.
//!
//! Full scale 1.0 stands for 8 192 of the µ-law's and 4 096 of the A-law's units, as in 14 and 13 bits.

/// Units of full scale.
const MU_UNITS: f32 = 8_192.0;
const A_UNITS: f32 = 4_096.0;
/// What makes the µ-law's segments begin at powers of two.
const MU_BIAS: f32 = 33.0;
/// The last decision value of the µ-law.
const MU_LARGEST: f32 = 8_159.0;
/// The A-law sends even bits inverted.
const EVEN_BITS: u8 = 0x55;
const SIGN: u8 = 0x80;

/// The octet of a sample by the µ-law (table 2).
pub fn mu_law_encode(sample: f32) -> u8 {
    let biased = (sample.abs() * MU_UNITS).min(MU_LARGEST - 1.0) + MU_BIAS;
    // 33 to 8 191: the integer part has six to thirteen bits, the leading five of which are kept.
    let segment = (biased as u16).ilog2() - 5;
    let interval = (biased / 2.0_f32.powi(segment.cast_signed() + 1)) as u8 - 16;
    let sign = if sample < 0.0 { SIGN } else { 0 };
    !(sign | (segment as u8) << 4 | interval)
}

/// The sample of an octet by the µ-law (table 2).
pub fn mu_law_decode(octet: u8) -> f32 {
    let [sign, segment, interval] = parts(!octet);
    let magnitude = f32::from((2 * interval + 33) << segment) - MU_BIAS;
    if sign == 0 { magnitude / MU_UNITS } else { -magnitude / MU_UNITS }
}

/// The octet of a sample by the A-law (table 1).
pub fn a_law_encode(sample: f32) -> u8 {
    let magnitude = (sample.abs() * A_UNITS).min(A_UNITS - 1.0);
    // The first two segments share one step.
    let segment = (magnitude as u16 | 31).ilog2().saturating_sub(4);
    let segment = if magnitude < 32.0 { 0 } else { segment };
    let interval = (magnitude / 2.0_f32.powi(segment.max(1).cast_signed())) as u8 & 15;
    let sign = if sample < 0.0 { 0 } else { SIGN };
    (sign | (segment as u8) << 4 | interval) ^ EVEN_BITS
}

/// The sample of an octet by the A-law (table 1).
pub fn a_law_decode(octet: u8) -> f32 {
    let [sign, segment, interval] = parts(octet ^ EVEN_BITS);
    let magnitude = match segment {
        0 => 2 * interval + 1,
        _ => (2 * interval + 33) << (segment - 1),
    };
    let magnitude = f32::from(magnitude) / A_UNITS;
    if sign == 0 { -magnitude } else { magnitude }
}

/// Sign, segment and interval of an octet.
fn parts(octet: u8) -> [u16; 3] {
    [octet & SIGN, octet >> 4 & 7, octet & 15].map(u16::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mu_law_has_the_values_of_table_2() {
        // Table 2a and 2b/G.711: decision value at which an octet begins, the octet, its output value.
        let table = [
            (0.0, 0xFF, 0.0),
            (1.0, 0xFE, 2.0),
            (31.0, 0xEF, 33.0),
            (95.0, 0xDF, 99.0),
            (223.0, 0xCF, 231.0),
            (479.0, 0xBF, 495.0),
            (991.0, 0xAF, 1_023.0),
            (2_015.0, 0x9F, 2_079.0),
            (4_063.0, 0x8F, 4_191.0),
            (7_903.0, 0x80, 8_031.0),
        ];
        for (decision, octet, output) in table {
            assert_eq!(mu_law_encode(decision / MU_UNITS), octet, "{decision}");
            assert!((mu_law_decode(octet) * MU_UNITS - output).abs() < 1e-3, "{octet:x}");
            if decision > 0.0 {
                assert_eq!(mu_law_encode((decision - 0.01) / MU_UNITS), octet + 1, "below {decision}");
                assert_eq!(mu_law_encode(-decision / MU_UNITS), octet & !SIGN, "minus {decision}");
            }
        }
        assert_eq!([mu_law_encode(7.0), mu_law_encode(-7.0)], [0x80, 0x00]);
    }

    #[test]
    fn the_a_law_has_the_values_of_table_1() {
        // Table 1a and 1b/G.711, the octets with even bits inverted.
        let table = [
            (0.0, 0x80, 1.0),
            (2.0, 0x81, 3.0),
            (32.0, 0x90, 33.0),
            (64.0, 0xA0, 66.0),
            (128.0, 0xB0, 132.0),
            (256.0, 0xC0, 264.0),
            (512.0, 0xD0, 528.0),
            (1_024.0, 0xE0, 1_056.0),
            (2_048.0, 0xF0, 2_112.0),
            (3_968.0, 0xFF, 4_032.0),
        ];
        for (decision, character, output) in table {
            let octet = character ^ EVEN_BITS;
            assert_eq!(a_law_encode(decision / A_UNITS), octet, "{decision}");
            assert!((a_law_decode(octet) * A_UNITS - output).abs() < 1e-3, "{octet:x}");
            if decision > 0.0 {
                assert_eq!(
                    a_law_encode((decision - 0.01) / A_UNITS) ^ EVEN_BITS,
                    character - 1,
                    "below {decision}"
                );
                assert_eq!(a_law_encode(-decision / A_UNITS), octet & !SIGN, "minus {decision}");
            }
        }
        assert_eq!([a_law_encode(7.0), a_law_encode(-7.0)], [0xAA, 0x2A]);
    }

    #[test]
    fn every_octet_is_the_octet_of_its_own_value() {
        for octet in 0..=u8::MAX {
            assert_eq!(a_law_encode(a_law_decode(octet)), octet);
            // The µ-law knows two zeros.
            if octet != 0x7F {
                assert_eq!(mu_law_encode(mu_law_decode(octet)), octet);
            }
        }
    }

    #[test]
    fn a_full_scale_sine_is_coded_with_a_ratio_of_38_decibels() {
        // Uniform steps of 1/16 to 1/32 of the magnitude: G.712 asks for at least 33 dB, the textbook value is 38.
        for (encode, decode) in
            [(mu_law_encode as fn(f32) -> u8, mu_law_decode as fn(u8) -> f32), (a_law_encode, a_law_decode)]
        {
            let (mut signal, mut error) = (0.0, 0.0);
            for n in 0_u16..8_000 {
                let sample = 0.99 * (f32::from(n) * 0.8).sin();
                signal += f64::from(sample).powi(2);
                error += f64::from(decode(encode(sample)) - sample).powi(2);
            }
            let ratio = 10.0 * (signal / error).log10();
            assert!((36.5..40.5).contains(&ratio), "{ratio}");
        }
    }
}
