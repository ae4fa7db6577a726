import { brokerError } from '../../connection/broker-error.js'
import { RequestError } from '../../connection/request-error.js'
import type { DescribeTopicPartitionsRequest } from '../../connection/requests/metadata.js'
import type { PartitionReplicas } from '../../driver/admin.js'
import type { Cluster } from '../cluster/cluster.js'
import { judgeTopicCode } from '../cluster/codes.js'

/** More than that brokers put into no answer by default. */
const pageSize = 2_000

/** Asks page by page. @returns `null` where brokers do not tell */
export async function eligibleLeaders(
  cluster: Pick<Cluster, 'anyBroker'>,
  topics: readonly string[],
  deadline: number,
): Promise<readonly PartitionReplicas[] | null> {
  const found: PartitionReplicas[] = []
  // In the order of names brokers go on from where the cursor stands, and need to hear only what is left.
  const sorted = [...new Set(topics)].sort()
  let cursor: DescribeTopicPartitionsRequest['cursor'] = null
  if (sorted.length === 0) return found
  do {
    const from: string = cursor?.topic ?? ''
    const left = sorted.filter((name) => name >= from)
    const answer = await askIfOffered(
      cluster,
      { api: 'describeTopicPartitions', topics: left, limit: pageSize, cursor },
      deadline,
    )
    if (answer === null) return null
    for (const { errorCode, name, partitions } of answer.topics) {
      if (judgeTopicCode(errorCode) === 'forbidden') {
        throw brokerError(errorCode, `describing topic "${name}"`, {
          topic: name,
          fix: 'grant this client DESCRIBE on it',
        })
      }
      for (const { partition, leader, isr, eligible, lastKnown } of partitions) {
        if (eligible.length + lastKnown.length === 0) continue
        found.push({ topic: name, partition, leader, isr, eligible, lastKnown })
      }
    }
    cursor = answer.nextCursor
  } while (cursor !== null)
  return found
}

async function askIfOffered(
  cluster: Pick<Cluster, 'anyBroker'>,
  request: DescribeTopicPartitionsRequest,
  deadline: number,
) {
  try {
    return await cluster.anyBroker(request, deadline)
  } catch (failure) {
    if (failure instanceof RequestError && failure.failure === 'unsupported') return null
    throw failure
  }
}
