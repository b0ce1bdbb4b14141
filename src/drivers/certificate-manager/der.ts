// DER as node-forge reads it. Bit strings stay as they are: a signature may read as ASN.1 itself.
import forge from 'node-forge';

export type Asn1 = forge.asn1.Asn1;

/** @param der bytes as a string in latin1. @throws Error for anything else */
export function readDer(der: string): Asn1 {
  // These options are what node-forge takes; its declarations know one flag.
  const options = { strict: true, decodeBitStrings: false } as unknown as boolean;
  return forge.asn1.fromDer(der, options);
}

/** What a structure holds. @throws Error for one that holds nothing */
export function partsOf({ value }: Asn1): readonly Asn1[] {
  if (!Array.isArray(value)) throw new Error('not a structure');
  return value;
}
