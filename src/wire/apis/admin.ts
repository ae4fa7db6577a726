import type { DescribeConfigsAnswer, NamedError, ResourceType } from '../../connection/requests/admin.js'
import type { Reader } from '../reader.js'
import { malformed } from '../wire-error.js'
import { readByTopic, writeByTopic, type ApiCodec } from './codec.js'

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

const resourceTypes = { topic: 2, broker: 4, group: 32 } as const

function readResourceType(reader: Reader): ResourceType {
  const told = reader.int8()
  const type = (Object.keys(resourceTypes) as ResourceType[]).find((each) => resourceTypes[each] === told)
  if (type === undefined) throw malformed(`the answer is about a resource of type ${told}`)
  return type
}
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
      const type = readResourceType(reader)
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

/** What is to be done with a setting: Kafka knows more, for lists. */
const configOperations = { set: 0, delete: 1 } as const

export const incrementalAlterConfigs: ApiCodec<'incrementalAlterConfigs'> = {
  key: 44,
  min: 0,
  max: 1,
  flexibleFrom: 1,
  encode({ type, name, changes, validateOnly }, _version, writer) {
    writer.array([name], (each) => {
      writer.int8(resourceTypes[type])
      writer.string(each)
      writer.array(changes, (change) => {
        writer.string(change.name)
        writer.int8(change.value === null ? configOperations.delete : configOperations.set)
        writer.nullableString(change.value)
        writer.tags()
      })
      writer.tags()
    })
    writer.boolean(validateOnly)
    writer.tags()
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const resources = reader.array((): NamedError => {
      const errorCode = reader.int16()
      const errorMessage = reader.nullableString()
      reader.int8() // resource_type
      const name = reader.string()
      reader.tags()
      return { name, errorCode, errorMessage }
    })
    reader.tags()
    return { throttleTimeMs, resources }
  },
}

export const deleteRecords: ApiCodec<'deleteRecords'> = {
  key: 21,
  min: 1,
  max: 2,
  flexibleFrom: 2,
  encode({ partitions, timeoutMs }, _version, writer) {
    writeByTopic(writer, partitions, ({ partition, before }) => {
      writer.int32(partition)
      writer.int64(before)
      writer.tags()
    })
    writer.int32(timeoutMs)
    writer.tags()
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const partitions = readByTopic(reader, (topic) => {
      const deleted = {
        topic,
        partition: reader.int32(),
        logStartOffset: reader.int64(),
        errorCode: reader.int16(),
      }
      reader.tags()
      return deleted
    })
    reader.tags()
    return { throttleTimeMs, partitions }
  },
}

/** The first of the replicas, when it is in sync: nothing is lost by it. */
const PREFERRED = 0

export const electLeaders: ApiCodec<'electLeaders'> = {
  key: 43,
  min: 1,
  max: 2,
  flexibleFrom: 2,
  encode({ partitions, timeoutMs }, _version, writer) {
    writer.int8(PREFERRED)
    writeByTopic(writer, partitions, ({ partition }) => writer.int32(partition))
    writer.int32(timeoutMs)
    writer.tags()
  },
  decode(reader) {
    const throttleTimeMs = reader.int32()
    const errorCode = reader.int16()
    const partitions = readByTopic(reader, (topic) => {
      const elected = { topic, partition: reader.int32(), errorCode: reader.int16() }
      reader.nullableString() // error_message
      reader.tags()
      return elected
    })
    reader.tags()
    return { throttleTimeMs, errorCode, partitions }
  },
}
