import type { ConsumeContext } from '../../cluster/client-context.js'
import { patternForBrokers } from './re2.js'

/** What a member tells the coordinator to divide. */
export interface Subscribed {
  readonly topics: readonly string[]
  /** Empty: none, also where one was told before. */
  readonly regex: string
}

/**
 * What a member reads, as the coordinator is told it. A pattern is evaluated by the brokers as long as they can, so that all
 * members hear of a new topic by one word, and none has to join again for it.
 *
 * | state       | tells                                                       | news                        | becomes |
 * |-------------|-------------------------------------------------------------|-----------------------------|---------|
 * | names       | the topics that it was given                                | anything                    | names   |
 * | by brokers  | the pattern, and the topics that were known to match at the join | other topics match     | by brokers: they know it, nothing is told |
 * | by brokers  |                                                             | brokers refuse the pattern, or give us what it does not mean here or what nobody names to us | here |
 * | here        | the topics that are known to match, and no pattern          | other topics match          | here, told at once |
 *
 * The names go along because a pattern that is new to a group is evaluated after its join was answered: what is there at the
 * start would come later, and `from` would count from then.
 */
export class Subscription {
  readonly #context: ConsumeContext
  #state: 'names' | 'by brokers' | 'here' = 'names'
  #regex = ''
  #topics: readonly string[]

  constructor(context: ConsumeContext) {
    this.#context = context
    this.#topics = context.settings.topics
    const { matching } = context.settings
    if (matching === undefined) return
    const written = patternForBrokers(matching.patterns, matching.except)
    if ('reason' in written) this.#tellHere(written.reason)
    else {
      this.#state = 'by brokers'
      this.#regex = written.regex
    }
  }

  get isByBrokers(): boolean {
    return this.#state === 'by brokers'
  }

  /** Is what was told last not what is read any more? */
  get isBehind(): boolean {
    return this.#state !== 'by brokers' && this.#topics !== this.#context.settings.topics
  }

  /** All there is to tell. */
  told(when: 'joining' | 'member'): Subscribed {
    if (when === 'joining' || this.#state !== 'by brokers') this.#topics = this.#context.settings.topics
    return { topics: this.#topics, regex: this.#regex }
  }

  /** From now on, for as long as this member lives. Says whether it was otherwise before. */
  evaluateHere(reason: string): boolean {
    if (this.#state !== 'by brokers') return false
    this.#regex = ''
    this.#tellHere(reason)
    return true
  }

  #tellHere(reason: string): void {
    const { groupId: group, logger } = this.#context.settings
    this.#state = 'here'
    logger.info(
      { group, reason },
      'which topics match the pattern is found out by this client, not by the brokers: new ones come with its metadata',
    )
  }
}
