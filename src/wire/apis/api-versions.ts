import type { ApiVersionsAnswer, FinalizedFeature } from '../../connection/requests/api-versions.js'
import type { ApiCodec } from './codec.js'

/** What brokers show of their clients, so that operators know whom an upgrade concerns. */
export const SOFTWARE = { name: 'tidemark', version: '0.1.0' } as const

/** Tagged fields of the answer. Tag 0 is what each broker could do, which decides nothing. */
const FINALIZED_EPOCH = 1
const FINALIZED = 2

/** Version 0 is for brokers that do not know version 3: they say so, and what they do know, in the oldest form. */
export const apiVersions: ApiCodec<'apiVersions'> = {
  key: 18,
  min: 0,
  max: 3,
  flexibleFrom: 3,
  plainAnswerHeader: true,
  encode(_request, version, writer) {
    if (version < 3) return
    writer.string(SOFTWARE.name)
    writer.string(SOFTWARE.version)
    writer.tags()
  },
  decode(reader, version): ApiVersionsAnswer {
    const errorCode = reader.int16()
    const offered = reader.array(() => {
      const versions = { apiKey: reader.int16(), min: reader.int16(), max: reader.int16() }
      reader.tags()
      return versions
    })
    const throttleTimeMs = version >= 1 ? reader.int32() : 0
    let finalizedFeatures: readonly FinalizedFeature[] = []
    let finalizedFeaturesEpoch = -1
    reader.tags({
      [FINALIZED_EPOCH]: () => (finalizedFeaturesEpoch = reader.int64()),
      [FINALIZED]: () => {
        finalizedFeatures = reader.array(() => {
          const name = reader.string()
          const maxLevel = reader.int16()
          const feature = { name, minLevel: reader.int16(), maxLevel }
          reader.tags()
          return feature
        })
      },
    })
    return { throttleTimeMs, errorCode, offered, finalizedFeatures, finalizedFeaturesEpoch }
  },
}
