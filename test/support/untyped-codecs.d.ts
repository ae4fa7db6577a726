declare module 'snappyjs' {
  export function compress(bytes: Buffer): Buffer
  export function uncompress(bytes: Buffer): Buffer
}

declare module 'lz4js' {
  export function compress(bytes: Buffer): Uint8Array
  export function decompress(bytes: Buffer): Uint8Array
}

declare module 'lz4js/xxh32.js' {
  export function hash(seed: number, bytes: Buffer, from: number, length: number): number
}
