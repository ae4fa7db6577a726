import type { GroupLag } from '../../lag/lag-report.js'
import { PartitionMap } from '../../message/partition-map.js'

export interface Stand {
  readonly committed: number | null
  /** Wall time of the look that saw it stand first. */
  readonly since: number
  /** It stood already when its group was first looked at. */
  readonly stoodBefore: boolean
}

/**
 * Since when partitions with lag have not moved, as looks from outside tell it:
 *
 * | a look finds | the partition |
 * |--------------|---------------|
 * | no lag, or no commit, so nobody outside knows where it is | moves |
 * | lag, and another commit than before, or none before | stands since this look |
 * | lag, and the same commit | stands since the look that saw it first |
 *
 * At the first look at a group nobody knows for how long a partition has stood: for at least so long.
 */
export class Standstills {
  #stands = new Map<string, PartitionMap<Stand>>()

  note({ group, at, partitions }: Pick<GroupLag, 'group' | 'at' | 'partitions'>): PartitionMap<Stand> {
    const before = this.#stands.get(group)
    const stands = new PartitionMap<Stand>()
    for (const { topic, partition, committed, lag } of partitions) {
      if (lag === 0 || committed === null) continue
      const known = before?.get(topic, partition)
      const isSame = known !== undefined && known.committed === committed
      stands.set(topic, partition, isSame ? known : { committed, since: at, stoodBefore: before === undefined })
    }
    this.#stands.set(group, stands)
    return stands
  }

  keepOnly(groups: ReadonlySet<string>): void {
    this.#stands = new Map([...this.#stands].filter(([group]) => groups.has(group)))
  }
}
