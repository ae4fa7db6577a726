import type { DescribeConfigsAnswer, NamedError } from '../../connection/requests/admin.js'
import type { Reader } from '../reader.js'
import type { ApiCodec } from './codec.js'

export const createTopics: ApiCodec<'createTopics'> = {
  key: 19,
  min: 4,
  max: 4,
  flexibleFrom: 5,
  encode({ topics, timeoutMs, validateOnly }, _version, writer) {
    writer.array(topics, ({ name, partitions, replicationFactor, configs }) => {
      writer.string(name)
      writer.int32(partitions)
      writer.int16(replicationFactor)
      writer.array([], () => {}) // assignments: the broker chooses
      writer.array(Object.entries(configs), ([key, value]) => {
        writer.string(key)
        writer.nullableString(value)
      })
    })
    writer.int32(timeoutMs)
    writer.boolean(validateOnly)
  },
  decode(reader) {
    return { throttleTimeMs: reader.int32(), topics: readNamedErrors(reader) }
  },
}

export const deleteTopics: ApiCodec<'deleteTopics'> = {
  key: 20,
  min: 1,
  max: 3,
  flexibleFrom: 4,
  encode({ topics, timeoutMs }, _version, writer) {
    writer.array(topics, (topic) => writer.string(topic))
    writer.int32(timeoutMs)
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const topics = reader.array(() => ({ name: reader.string(), errorCode: reader.int16(), errorMessage: null }))
    return { throttleTimeMs, topics }
  },
}

export const createPartitions: ApiCodec<'createPartitions'> = {
  key: 37,
  min: 0,
  max: 1,
  flexibleFrom: 2,
  encode({ topics, timeoutMs }, _version, writer) {
    writer.array(topics, ({ name, count }) => {
      writer.string(name)
      writer.int32(count)
      writer.nullableArray(null, () => {}) // assignments: the broker chooses
    })
    writer.int32(timeoutMs)
    writer.boolean(false) // validate_only
  },
  decode(reader) {
    return { throttleTimeMs: reader.int32(), topics: readNamedErrors(reader) }
  },
}

function readNamedErrors(reader: Reader): NamedError[] {
  return reader.array(() => ({
    name: reader.string(),
    errorCode: reader.int16(),
    errorMessage: reader.nullableString(),
  }))
}

const resourceTypes = { topic: 2, broker: 4 } as const
/** The value of `config_source` that means nobody has set the entry. */
const DEFAULT_CONFIG = 5

export const describeConfigs: ApiCodec<'describeConfigs'> = {
  key: 32,
  min: 1,
  max: 3,
  flexibleFrom: 4,
  encode({ resources }, version, writer) {
    writer.array(resources, ({ type, name }) => {
      writer.int8(resourceTypes[type])
      writer.string(name)
      writer.nullableArray(null, () => {}) // configuration_keys: all
    })
    writer.boolean(false) // include_synonyms
    if (version >= 3) writer.boolean(false) // include_documentation
  },
  decode(reader, version) {
    const throttleTimeMs = reader.int32()
    const resources = reader.array((): DescribeConfigsAnswer['resources'][number] => {
      const errorCode = reader.int16()
      const errorMessage = reader.nullableString()
      const type = reader.int8() === resourceTypes.topic ? 'topic' : 'broker'
      const name = reader.string()
      return { errorCode, errorMessage, type, name, entries: reader.array(() => readEntry(reader, version)) }
    })
    return { throttleTimeMs, resources }
  },
}

function readEntry(reader: Reader, version: number) {
  const name = reader.string()
  const value = reader.nullableString()
  reader.boolean() // read_only
  const isDefault = reader.int8() === DEFAULT_CONFIG
  reader.boolean() // is_sensitive
  reader.array(() => [reader.string(), reader.nullableString(), reader.int8()]) // synonyms
  if (version >= 3) {
    reader.int8() // config_type
    reader.nullableString() // documentation
  }
  return { name, value, isDefault }
}
