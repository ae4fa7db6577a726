import type { Broker, LeaderHint } from '../../connection/requests/metadata.js'
import type { Reader } from '../reader.js'

/** `undefined` where the field is there without an answer in it. */
export function readLeaderHint(reader: Reader): LeaderHint | undefined {
  const hint = { leader: reader.int32(), leaderEpoch: reader.int32() }
  reader.tags()
  return hint.leader >= 0 && hint.leaderEpoch >= 0 ? hint : undefined
}

export function readEndpoints(reader: Reader): readonly Broker[] {
  return reader.array(() => {
    const nodeId = reader.int32()
    const endpoint = { nodeId, host: reader.string(), port: reader.int32(), rack: reader.nullableString() }
    reader.tags()
    return endpoint
  })
}
