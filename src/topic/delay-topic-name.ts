/** Of the topic where what failed in `topic` waits for `delay`, a number with its unit; `name` tells its readers apart. */
export function delayTopicName(topic: string, name: string, delay: string): string {
  return `${topic}.${name}.retry.${delay}`
}

export function isDelayTopicOf(topic: string, name: string): boolean {
  return name.startsWith(`${topic}.`) && /\.retry\.\d+(?:ms|[smhd])$/.test(name)
}
