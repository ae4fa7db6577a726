import type { Moves } from '../../../runtime/state-machine.js'

/**
 * The states of a member of a group by the classic protocol. Whether a generation is eager or cooperative is told by the assignor that the
 * group chose for it, so a group may go from one to the other:
 *
 * | state    | news      | generation  | what follows |
 * |----------|-----------|-------------|--------------|
 * | stable   | rebalance | eager       | draining all, by the rebalance's deadline; then it joins again |
 * | stable   | rebalance | cooperative | it joins again at once and keeps everything meanwhile |
 * | syncing  | a division without some of ours | cooperative | releasing those, by the deadline; then it joins again at once, so that they are dealt out |
 * | stable   | stop      | any         | closing, by the stop's deadline; then it leaves |
 * | releasing, draining | stop | any    | closing all, by the earlier of both deadlines |
 * | closing  | rebalance | any         | closing still, by the earlier of both; it commits under the generation it has and leaves |
 * | closing  | stop      | any         | closing still, by the earlier of both |
 * | stable, releasing, draining | lost | any | nothing is drained or committed; it joins again |
 * | closing  | lost      | any         | nothing more is committed; it leaves |
 * | any with partitions | failed here | any | closing, as at a stop; `failed` is told, and it leaves |
 * | any      | failed by the group | any | nothing is drained or committed; `failed` is told, and it leaves |
 *
 * On its way from one generation to the next, with partitions (cooperative before):
 *
 * | news | what follows |
 * |------|--------------|
 * | the join is answered: the next generation, cooperative | ours go on under it |
 * | the join is answered: an eager generation | all is lost, for its leader deals it out at once; nothing of it was or will be committed under that generation |
 * | the join is answered: a later generation than the next | all is lost: one was divided without us |
 * | the sync is answered: rebalance | it joins again and keeps everything |
 * | the sync is answered: unknown generation or member | all is lost; it joins again |
 * | no answer, or it comes twice | it joins again under the same id and keeps everything; coordinators answer with the generation that is |
 * | no heartbeat is answered for a session, or one says that we are no member | all is lost; it joins again |
 * | stop, failed here | closing: what is held is drained while the way in goes on for the sake of commits; nothing is taken |
 * | a division without some of what was claimed with the join and lost since | it joins again at once without it: it was kept back for us |
 * | what is released takes longer than its deadline | it is lost and told so; the others stay |
 *
 * A member that dies between the two rounds of a division holds nobody up for longer than its session: what it gave up is
 * free already and goes out with the next round, whoever leads that.
 */
export type ClassicState =
  | 'unjoined'
  | 'finding-coordinator'
  | 'joining'
  | 'syncing'
  /** A member with an assignment, heartbeats on. */
  | 'stable'
  /** Still a member, giving up what the division takes away; the rest stays. */
  | 'releasing'
  /** Still a member, giving the assignment up for a rebalance; heartbeats on. */
  | 'draining'
  /** Still a member, giving the assignment up for good: whatever the group wants, nothing more is taken. */
  | 'closing'
  | 'leaving'
  | 'stopped'
  | 'failed'

export const moves: Moves<ClassicState> = {
  unjoined: ['finding-coordinator', 'closing', 'leaving', 'failed'],
  'finding-coordinator': ['joining', 'unjoined', 'closing', 'failed'],
  joining: ['syncing', 'unjoined', 'closing', 'failed'],
  syncing: ['stable', 'unjoined', 'closing', 'failed'],
  stable: ['releasing', 'draining', 'closing', 'unjoined', 'failed'],
  releasing: ['closing', 'unjoined', 'failed'],
  draining: ['closing', 'unjoined', 'failed'],
  closing: ['leaving', 'failed'],
  leaving: ['stopped'],
  stopped: [],
  failed: ['stopped'],
}
