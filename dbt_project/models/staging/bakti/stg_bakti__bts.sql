{{ stage('bakti__bts') }}
