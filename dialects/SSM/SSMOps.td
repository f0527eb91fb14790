// All ops of the `ssm` dialect, by kind.
#ifndef SSMC_SSM_OPS_TD
#define SSMC_SSM_OPS_TD

include "SSMDialect.td"
include "SSMInterfaces.td"
include "SSMStructureOps.td"
include "SSMPointwiseOps.td"
include "SSMNormalOps.td"
include "SSMChunkOps.td"

#endif // SSMC_SSM_OPS_TD
