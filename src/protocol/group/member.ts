import type { GroupMemberIdentity } from '../../connection/requests/groups.js'
import type { TidemarkError } from '../../errors.js'
import type { ConsumeContext } from '../cluster/client-context.js'
import type { CoordinatorLine } from '../cluster/coordinator-line.js'
import { ClassicMember } from './classic/member.js'
import { ConsumerMember } from './consumer/member.js'
import { agreedGroupProtocol } from './group-protocol.js'
import type { Membership, MembershipEvents, MembershipFacts } from './membership.js'

const facts: MembershipFacts = { state: 'unjoined', memberId: null, generationId: -1, lastHeartbeatAt: null }

/**
 * A member of a group by the protocol that the settings want. Under `auto` the cluster is asked once, at the start: a member
 * that changed over later would do so in the middle of a rolling upgrade of brokers.
 *
 * | state    | news                  | becomes |
 * |----------|-----------------------|---------|
 * | asking   | the cluster has told  | chosen: that member starts |
 * | asking   | stop, or a failure    | over |
 * | chosen   | anything              | chosen: the member answers |
 */
export class GroupMember implements Membership {
  readonly #context: ConsumeContext
  readonly #line: CoordinatorLine
  readonly #events: MembershipEvents
  readonly #over = new AbortController()
  #member: Membership | null = null
  #starting: Promise<void> | null = null
  #failure: TidemarkError | null = null

  constructor(context: ConsumeContext, line: CoordinatorLine, events: MembershipEvents) {
    this.#context = context
    this.#line = line
    this.#events = events
  }

  start(): void {
    this.#starting ??= this.#start()
  }

  async stop(deadline: number): Promise<void> {
    this.#over.abort(new Error('the consumer was stopped'))
    if (this.#member === null) await this.#starting
    await this.#member?.stop(deadline)
  }

  fail(error: TidemarkError): void {
    if (this.#member !== null) {
      this.#member.fail(error)
      return
    }
    this.#failure ??= error
    this.#over.abort(error)
  }

  identity(): GroupMemberIdentity | null {
    return this.#member?.identity() ?? null
  }

  commitRefused(code: number, generationId: number): 'again' | 'out' {
    return this.#member?.commitRefused(code, generationId) ?? 'out'
  }

  trouble(): TidemarkError | string | null {
    return this.#member?.trouble() ?? null
  }

  hasAssignment(): boolean {
    return this.#member?.hasAssignment() ?? false
  }

  facts(): MembershipFacts {
    return this.#member?.facts() ?? facts
  }

  async #start(): Promise<void> {
    const { groupProtocol = 'classic' } = this.#context.settings
    const protocol =
      groupProtocol === 'auto' ? await agreedGroupProtocol(this.#context, this.#over.signal) : groupProtocol
    if (this.#failure !== null) this.#events.failed(this.#failure)
    if (this.#over.signal.aborted) return
    const Member = protocol === 'consumer' ? ConsumerMember : ClassicMember
    this.#member = new Member(this.#context, this.#line, this.#events)
    this.#member.start()
  }
}
