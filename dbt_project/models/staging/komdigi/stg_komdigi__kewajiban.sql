{{ stage('komdigi__kewajiban') }}
