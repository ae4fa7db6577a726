import { ConfigError, type ConfigIssue } from '../errors.js'
import type { ResolvedConsumerOptions } from '../consumer/options/consumer-schema.js'

type GroupProtocol = ResolvedConsumerOptions['groupProtocol']

/** The coordinator decides these for its group under the `consumer` protocol, by its own settings. */
const coordinatorDecides: Readonly<Record<string, string>> = {
  sessionTimeoutMs: "the broker's group.consumer.session.timeout.ms",
  heartbeatIntervalMs: "the broker's group.consumer.heartbeat.interval.ms",
  assignors: 'remoteAssignor',
}

/**
 * The protocol of a consumer: its own, else that of its messaging. Under `auto` one that sets what the `consumer` protocol
 * has no place for takes the classic one.
 *
 * @param options as the user gave them.
 * @throws ConfigError when what was given would have no effect.
 */
export function groupProtocolOf(
  subject: string,
  options: Readonly<Record<string, unknown>>,
  inherited: GroupProtocol,
): { readonly groupProtocol: GroupProtocol; readonly classicFor: readonly string[] } {
  if (options['group'] === null) return withoutGroup(subject, options, inherited)
  const wanted = (options['groupProtocol'] as GroupProtocol | undefined) ?? inherited
  const classicOnly = Object.keys(coordinatorDecides).filter((name) => options[name] !== undefined)
  const issues: ConfigIssue[] = []
  if (wanted === 'consumer') {
    for (const path of classicOnly) {
      const message = "has no effect with groupProtocol: 'consumer'"
      issues.push({ path, message, fix: `leave it out (${coordinatorDecides[path]} decides), or take 'classic'` })
    }
  }
  if (wanted === 'classic' && options['remoteAssignor'] !== undefined) {
    const message = "has no effect with groupProtocol: 'classic'"
    issues.push({
      path: 'remoteAssignor',
      message,
      fix: "write assignors, or take groupProtocol: 'consumer' or 'auto'",
    })
  }
  if (issues.length > 0) throw new ConfigError(subject, issues)
  const isClassic = wanted === 'auto' && classicOnly.length > 0
  return { groupProtocol: isClassic ? 'classic' : wanted, classicFor: isClassic ? classicOnly : [] }
}

/** What it inherits is meant for consumers that have a group. */
function withoutGroup(subject: string, options: Readonly<Record<string, unknown>>, inherited: GroupProtocol) {
  const issues = ['groupProtocol', 'remoteAssignor']
    .filter((path) => options[path] !== undefined)
    .map((path) => ({ path, message: 'has no effect with group: null', fix: 'leave it out, or name a group' }))
  if (issues.length > 0) throw new ConfigError(subject, issues)
  return { groupProtocol: inherited, classicFor: [] }
}
