/**
 * Of the topic where what failed in `topic` waits for `delay`, a number with its unit; `name` tells its readers apart. No
 * two topics and names make the same of it (`isDelayName`): whoever has both a topic `t` and a topic `t.x` has `t` with a
 * group `x.y` and `t.x` with a group `y`.
 */
export function delayTopicName(topic: string, name: string, delay: string): string {
  return `${topic}.retry.${name}.${delay}`
}

/** Else it could not be told where in the name of a delay topic it begins. */
export function isDelayName(name: string): boolean {
  return !name.startsWith('retry.') && !name.includes('.retry.')
}

/** Of the delay topics of a topic under that name, whatever their delays. */
export function isDelayTopicNamed(topic: string, name: string, delayTopic: string): boolean {
  const start = `${topic}.retry.${name}.`
  return delayTopic.startsWith(start) && delayOnly.test(delayTopic.slice(start.length))
}

/** Of the delay topics of a topic, whatever their names and delays. */
export function isDelayTopicOf(topic: string, delayTopic: string): boolean {
  return delayTopic.startsWith(`${topic}.retry.`) && behindName.test(delayTopic)
}

/** Of whichever topic. */
export function isNamedForDelay(name: string): boolean {
  return name.includes('.retry.') && behindName.test(name)
}

const delayOnly = /^\d+(?:ms|[smhd])$/
const behindName = /\.\d+(?:ms|[smhd])$/
