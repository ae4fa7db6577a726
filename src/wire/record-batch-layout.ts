/** Record batch format 2: where each field of the header is, relative to the start of the batch. */
export const layout = {
  baseOffset: 0,
  batchLength: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  /** The CRC covers everything from here to the end. */
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const

/** `batchLength` counts what follows it. */
export const LENGTH_COUNTS_FROM = layout.partitionLeaderEpoch
export const MAGIC = 2

export const attributeBits = { compression: 7, logAppendTime: 8, transactional: 16, control: 32 } as const
