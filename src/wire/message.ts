import type { AnswerTo, ApiName, Request } from '../connection/requests/apis.js'
import type { ApiCodec } from './apis/codec.js'
import { apis, negotiate, type BrokerVersions } from './apis.js'
import type { CodecRegistry } from './compression.js'
import { Reader } from './reader.js'
import { encodeRecordBatch, type EncodedBatch } from './record-batch-encoder.js'
import { malformed } from './wire-error.js'
import { Writer } from './writer.js'

// The table's value type is a union of codecs; a name picked at run time needs one that takes them all.
function codecOf(api: ApiName): ApiCodec<ApiName> {
  return apis[api] as ApiCodec<ApiName>
}

/** @throws WireError `unsupported` when the broker knows no version that can carry the request. */
export function versionFor(request: Request, versions: BrokerVersions): number {
  const codec = codecOf(request.api)
  return negotiate(request.api, versions.get(codec.key), codec.fit?.(request))
}

const noBatches: readonly EncodedBatch[] = []

/** Bytes of the request's record batches; independent of the version, so it can run before a connection is open. */
export function encodeBatches(
  request: Request,
  codecs: CodecRegistry,
): readonly EncodedBatch[] | Promise<readonly EncodedBatch[]> {
  if (request.api !== 'produce') return noBatches
  const { batches } = request
  if (batches.some((batch) => batch.compression !== 'none')) {
    return Promise.all(batches.map(async (batch) => encodeRecordBatch(batch, codecs)))
  }
  return batches.map((batch) => encodeRecordBatch(batch, codecs) as EncodedBatch)
}

/** A whole frame, as buffers to be written one after another. */
export function encodeRequest(
  request: Request,
  version: number,
  correlationId: number,
  clientId: string,
  batches: readonly EncodedBatch[],
): Buffer[] {
  const codec = codecOf(request.api)
  const flexible = version >= codec.flexibleFrom
  return Writer.frame(flexible, (writer) => {
    writeHeader(writer, codec.key, version, correlationId, clientId)
    writer.tags()
    codec.encode(request, version, writer, { batches })
  })
}

/** The client id keeps its 16-bit length in flexible versions too. */
function writeHeader(writer: Writer, key: number, version: number, correlationId: number, clientId: string): void {
  writer.int16(key)
  writer.int16(version)
  writer.int32(correlationId)
  const header = new Writer()
  header.string(clientId)
  for (const part of header.finish()) writer.raw(part)
}

/** @param frame an answer without its length: correlation id, header, body. */
export function correlationIdOf(frame: Buffer): number {
  if (frame.length < 4) throw malformed(`an answer of ${frame.length} bytes has no room for a correlation id`)
  return frame.readInt32BE(0)
}

/** Reads an answer; a promise only if records are compressed with a codec that works asynchronously. */
export function decodeAnswer<R extends Request>(
  request: R,
  version: number,
  frame: Buffer,
  codecs: CodecRegistry,
): AnswerTo<R> | Promise<AnswerTo<R>> {
  const codec = codecOf(request.api)
  const reader = new Reader(frame.subarray(4), version >= codec.flexibleFrom)
  if (codec.plainAnswerHeader === undefined) reader.tags()
  const answer = codec.decode(reader, version, codecs, request)
  reader.end()
  return answer as AnswerTo<R> | Promise<AnswerTo<R>>
}
