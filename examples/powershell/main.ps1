# A robot in PowerShell, without any module. NOT TESTED by us: no machine of ours has PowerShell. Works by its documentation
# with Windows PowerShell 5.1 and PowerShell 7.
$ErrorActionPreference = 'Stop'

$processName = $args[0]
$processArgs = $args[3]
$queue = 'Invoices'

# Calls a method of RobotService. A refusal becomes an error whose text is the answer, with the reason in it.
function Invoke-Robot([string] $Method, [hashtable] $Body = @{}) {
    $json = ConvertTo-Json -InputObject $Body -Depth 5 -Compress
    $request = @{
        Uri         = "$env:ORCHESTRATOR_ENDPOINT/rpc/orchestrator.v1.RobotService/$Method"
        Method      = 'Post'
        Headers     = @{ Authorization = "Bearer $env:ORCHESTRATOR_JOB_TOKEN" }
        ContentType = 'application/json; charset=utf-8'
        # Bytes: Windows PowerShell would send text in another encoding.
        Body        = [System.Text.Encoding]::UTF8.GetBytes($json)
    }
    Invoke-RestMethod @request
}

function Write-RobotLog([string] $Level, [string] $Message) {
    Invoke-Robot 'Log' @{ logs = @(@{ logLevel = $Level; logMessage = $Message }) } | Out-Null
}

Write-RobotLog 'INFO' "$processName begins with '$processArgs'"
$limit = [int] (Invoke-Robot 'GetConstant' @{ name = 'Invoice limit' }).constant.value
$count = 0
while ($true) {
    # The id makes the call repeatable: an answer that got lost is not a lost element.
    $call = @{ requestId = [guid]::NewGuid().ToString() }
    $element = (Invoke-Robot 'ClaimQueueElement' @{ queueName = $queue; call = $call }).element
    if (-not $element) { break }
    $amount = [int] (ConvertFrom-Json $element.data).amount
    if ($amount -gt $limit) {
        $status = @{ element = $element.id; status = 'FAILED'; message = "over the limit of $limit" }
    }
    else {
        $status = @{ element = $element.id; status = 'DONE'; message = "paid $amount" }
    }
    Invoke-Robot 'SetQueueElementStatus' $status | Out-Null
    $count++
}
Write-RobotLog 'INFO' "$processName handled $count invoices"
