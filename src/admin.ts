/** Subpath `tidemark/admin`: names of what `messaging.admin` tells of groups and is asked for. */
export type {
  DescribedMember,
  ElectedLeader,
  GroupDescription,
  GroupOffset,
  ListedGroup,
  PartitionReplicas,
  RecordsToDelete,
} from './driver/admin.js'
export type { ResourceType } from './connection/requests/admin.js'
export type { ListGroupsOptions, ResetOffsetsOptions } from './operations/admin-input.js'
export type { OffsetReset, ResetPosition, ResetScope } from './operations/group-offsets.js'
