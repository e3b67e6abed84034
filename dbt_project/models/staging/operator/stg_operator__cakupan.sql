{{ stage('operator__cakupan') }}
