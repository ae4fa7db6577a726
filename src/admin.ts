/** Subpath `tidemark/admin`: names of what `messaging.admin` tells of groups and is asked for. */
export type { DescribedMember, GroupDescription, GroupOffset, ListedGroup } from './driver/admin.js'
export type { ListGroupsOptions, ResetOffsetsOptions } from './operations/admin-input.js'
export type { OffsetReset, ResetPosition, ResetScope } from './operations/group-offsets.js'
